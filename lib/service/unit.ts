/**
 * The agent as a systemd service: where its files are, and what its unit says. Pure.
 *
 * @see systemd.service(5), systemd.exec(5), systemd.kill(5)
 * @module
 */

import { ConfigError } from '../errors.ts'
import { JUMP_POINT_PATH } from '../host/jump-point.ts'

export const SERVICE = 'agent.service'
export const UNIT_PATH = `/etc/systemd/system/${SERVICE}`

/** What `systemctl edit` adds to it. */
export const DROP_INS_PATH = `${UNIT_PATH}.d`

export const CONFIG_DIRECTORY = '/etc/agent'
export const CONFIG_PATH = `${CONFIG_DIRECTORY}/agent.yaml`
export const SECRET_PATH = `${CONFIG_DIRECTORY}/secret`
export const TOKEN_PATH = `${CONFIG_DIRECTORY}/token`
/** Names of users that were made for the service, one a line. */
export const MADE_USERS_PATH = `${CONFIG_DIRECTORY}/made-users`
/** Names of users that were put in the group docker for it. */
export const MADE_MEMBERS_PATH = `${CONFIG_DIRECTORY}/made-members`

export const STATE_DIRECTORY = '/var/lib/agent'

/** From the end of the time that a job has to systemd's KILL of the agent. */
export const STOP_MARGIN_MS = 90_000

/** Who calls: the control plane, or the agent. */
export type ServiceCommand = 'serve' | 'start'

export interface UnitOptions {
  readonly command: ServiceCommand
  /** Absolute. */
  readonly agentPath: string
  readonly user: string
  /** From the request to stop until it is killed. */
  readonly stopTimeoutMs: number
}

/** What the service and its jobs may take, and what they may do. */
const RIGHTS = `# Each job gets a control group below the agent's, by which it is killed whole, daemons included.
Delegate=yes
# A job that takes too much memory loses processes; the agent goes on. Those of a job stand 500 higher.
OOMPolicy=continue
OOMScoreAdjust=-500
TasksMax=infinity
# The agent's memory, with its secret, stays out of core dumps; a job may raise the limit for itself.
LimitCORE=0:infinity
KeyringMode=private
# No more than that: what systemd takes from the agent it takes from jobs. Every filter of system calls
# (RestrictNamespaces, ProtectClock, LockPersonality, …) brings NoNewPrivileges with User=, and so no
# sudo. Everything about directories and devices (ProtectSystem, ProtectHome, PrivateTmp, LogNamespace,
# …) is a mount namespace: the host does not see a job's mounts then. Without a capability sudo is not
# what it is elsewhere; RemoveIPC and UMask change files that others work with.
# What keeps a job from the machine is a user of its own: --user.
`

/** @throws {ConfigError} for a program that systemd would not run */
export function renderUnit(options: UnitOptions): string {
  const { agentPath, command, user, stopTimeoutMs } = options
  return `# Written by agent install, removed by agent uninstall. Settings are in ${CONFIG_PATH}.
[Unit]
Description=CI/CD job agent
Wants=network-online.target
After=network-online.target docker.service
StartLimitIntervalSec=0

[Service]
Type=notify
# systemd-notify speaks for the agent; as root it can do so in the agent's name.
NotifyAccess=${user === 'root' ? 'main' : 'all'}
User=${escapeSpecifiers(user)}
WorkingDirectory=${CONFIG_DIRECTORY}
StateDirectory=agent
StateDirectoryMode=0700
${hasJumpPoint(options) ? makeJumpPoint(user) : ''}ExecStart=${quoteProgram(agentPath)} ${command} --config-file ${CONFIG_PATH}
${COMMAND_LINES[command]}Restart=always
RestartSec=2
TimeoutStartSec=2min
WatchdogSec=2min
# Asks the agent alone, which lets its job end (${DRAIN_SETTING[command]} in ${CONFIG_PATH}).
KillMode=mixed
TimeoutStopSec=${Math.ceil(stopTimeoutMs / 1_000)}
${RIGHTS}
[Install]
WantedBy=multi-user.target
`
}

const COMMAND_LINES: Readonly<Record<ServiceCommand, string>> = {
  serve: `# Reads the certificate again.
ExecReload=/bin/kill -HUP $MAINPID
`,
  start: `# The control plane does not take it, or a setting is wrong: that is no better after another start.
RestartPreventExitStatus=2
`,
}

/** The setting that says for how long a job may go on. */
const DRAIN_SETTING: Readonly<Record<ServiceCommand, string>> = {
  serve: 'shutdown-timeout',
  start: 'interruption-grace-period',
}

function hasJumpPoint({ command, user }: UnitOptions): boolean {
  return command === 'serve' && user !== 'root'
}

/** `set -C` creates the file or fails: what somebody has put there meanwhile is not touched. */
function makeJumpPoint(user: string): string {
  const script = `rm -f ${JUMP_POINT_PATH}; set -C; : >${JUMP_POINT_PATH} && chown "$$1" ${JUMP_POINT_PATH}`
  const name = escapeSpecifiers(user).replaceAll('$', '$$$$')
  return `# By root, before anybody else: in /tmp a file is replaced by its owner alone.
ExecStartPre=+-/bin/sh -c '${script}' sh "${name}"
`
}

/** Of a unit as {@link renderUnit} writes it. */
export function commandIn(unit: string): ServiceCommand | undefined {
  const [, command] = /^ExecStart=.* (serve|start) --config-file /m.exec(unit) ?? []
  return command as ServiceCommand | undefined
}

/** As {@link commandIn}. */
export function userIn(unit: string): string | undefined {
  return /^User=(.+)$/m.exec(unit)?.[1]?.replaceAll('%%', '%')
}

/** The first word of a command line: in that one systemd leaves `$` alone, and takes no quotes at all. */
function quoteProgram(path: string): string {
  if (/["'\\\p{Cc}]/u.test(path)) {
    throw new ConfigError(`systemd runs no program with such characters in its path: ${path}`, {
      hint: 'Copy it elsewhere, and run that copy: install -m 0755 FILE /usr/local/bin/agent',
    })
  }
  const escaped = escapeSpecifiers(path)
  return /^[\w%./-]+$/.test(escaped) ? escaped : `"${escaped}"`
}

function escapeSpecifiers(text: string): string {
  return text.replaceAll('%', '%%')
}
