/**
 * `agent install`: the agent as a systemd service.
 *
 * @module
 */

import { accessSync, constants, existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { defineCommand } from 'citty'
import { hostEnvironment } from '../config.ts'
import { requireAccepted } from '../doctor/control-plane.ts'
import { ConfigError } from '../errors.ts'
import { findInstalled, installService, requireSystemd } from '../service/install.ts'
import {
  commandOfFile,
  commandOfFlags,
  SERVICE_MODES,
  type ServiceMode,
  SOURCE_SETTINGS,
} from '../service/modes.ts'
import {
  CONFIG_DIRECTORY,
  CONFIG_PATH,
  renderUnit,
  SECRET_PATH,
  SERVICE,
  TOKEN_PATH,
} from '../service/unit.ts'
import { SERVE_SETTINGS } from '../settings/serve-settings.ts'
import type { ConfigSources } from '../settings/sources.ts'
import { START_SETTINGS } from '../settings/start-settings.ts'
import { PATH } from '../settings/value-type.ts'
import { print } from './print.ts'
import { settingArgs } from './setting-args.ts'

/** Directories that the service's user may not be able to create. */
const DIRECTORIES = ['state-dir', 'cache-dir']

export const installCommand = defineCommand({
  meta: {
    name: 'install',
    description: `Install this agent as a systemd service that runs agent serve, or agent start.

With --endpoint and a registration token it runs agent start, which calls its control plane; otherwise
agent serve, which is called. Writes ${CONFIG_PATH} with the options given, ${TOKEN_PATH}
or ${SECRET_PATH}, and the unit ${SERVICE}, and starts it. When called again it changes
what is given and keeps the rest. If no secret for agent serve is given it creates one.

Examples:
  sudo agent install --endpoint ci.example.com --token-file ./token
  sudo agent install --auth-token-secret-file ./secret --port 8443
  sudo agent install --user ci
  agent install --dry-run`,
  },
  args: {
    user: {
      type: 'string',
      valueHint: 'NAME',
      description:
        'User that runs the agent and its jobs; created if necessary, and added to the group docker (default root)',
    },
    'dry-run': { type: 'boolean', description: 'Print the unit and change nothing' },
    ...settingArgs({ ...SERVE_SETTINGS, ...START_SETTINGS }),
  },
  run: async ({ args }) => {
    const isDryRun = args['dry-run'] === true
    if (!isDryRun) requireSystemd('install')
    const installed = await findInstalled()
    const user = userOf(args.user) ?? installed.user ?? 'root'
    const { mode, configFile, isOther } = await chooseMode(args, installed.command)
    const settings = givenSettings(args, mode)
    const sources = sourcesOf({ ...settings, 'config-file': configFile })
    const stopTimeoutMs = await mode.findStopTimeoutMs(sources)
    const unit = { command: mode.command, agentPath: process.execPath, user, stopTimeoutMs }
    if (isDryRun) {
      await print(renderUnit(unit))
      return
    }
    const secret = await mode.findSecret(sourcesOf(args, hostEnvironment()))
    if (mode.command === 'start') await requireToken(secret, sources)
    if (isOther) printLine('The settings of the agent that was installed are not taken over')
    await installService({
      ...{ ...unit, secret, configFile, settings, defaults: mode.defaults },
      directories: DIRECTORIES.flatMap((name) => settings[name] ?? []),
      print: printLine,
    })
    printLine(`The service is running. Its log: journalctl -u ${SERVICE} -f`)
  },
})

interface ChosenMode {
  readonly mode: ServiceMode
  /** The settings to start from. */
  readonly configFile: string | undefined
  /** The installed service has the other mode: its settings cannot be used. */
  readonly isOther: boolean
}

/** Decided by the flags, else by the file, else as installed. */
async function chooseMode(
  args: Readonly<Record<string, unknown>>,
  installed: ServiceMode['command'] | undefined,
): Promise<ChosenMode> {
  const given = args['config-file'] as string | undefined
  const byFile = given === undefined ? installed : await commandOfFile(given)
  const mode = SERVICE_MODES[commandOfFlags(args) ?? byFile ?? 'serve']
  const isOther = installed !== undefined && installed !== mode.command
  return { mode, isOther, configFile: given ?? (isOther ? undefined : existingConfig()) }
}

/** With a token that the control plane refuses, the service would end as soon as it has started. */
async function requireToken(token: string | undefined, sources: ConfigSources): Promise<void> {
  if (token !== undefined) return await requireAccepted(token, sources)
  if (existsSync(TOKEN_PATH)) return
  throw new ConfigError('agent start needs a registration token', {
    hint: 'Give it with --token-file.',
  })
}

/** @throws {ConfigError} for an invalid name, or digits only, which systemd would take as an id */
function userOf(name: string | undefined): string | undefined {
  if (name === undefined || /^(?!\d+$)[^\s:,/-][^\s:,/]*$/.test(name)) return name
  throw new ConfigError(`--user: expected the name of a user, got "${name}"`, {
    hint: 'Give a name such as ci; a user that does not exist is created.',
  })
}

function givenSettings(
  args: Readonly<Record<string, unknown>>,
  mode: ServiceMode,
): Record<string, string> {
  const given: Record<string, string> = {}
  for (const [name, { type }] of Object.entries(mode.settings)) {
    const value = args[name]
    if (value === undefined || SOURCE_SETTINGS.has(name)) continue
    // The service starts in a different directory from the current one.
    given[name] = type === PATH && value !== '' ? resolve(String(value)) : String(value)
  }
  return given
}

/** The variables of the current user are not those of the service. */
function sourcesOf(
  flags: Readonly<Record<string, unknown>>,
  environment: NodeJS.ProcessEnv = {},
): ConfigSources {
  return { flags, environment, workingDirectory: CONFIG_DIRECTORY, isRoot: true }
}

/** The settings file of an earlier installation. @throws {ConfigError} when this user may not read it */
function existingConfig(): string | undefined {
  if (!existsSync(CONFIG_PATH)) return undefined
  try {
    accessSync(CONFIG_PATH, constants.R_OK)
    return CONFIG_PATH
  } catch (cause) {
    throw new ConfigError(`There is a service, and its settings in ${CONFIG_PATH} are private`, {
      hint: 'Run sudo agent install --dry-run.',
      cause,
    })
  }
}

function printLine(line: string): void {
  process.stdout.write(`${line}\n`)
}
