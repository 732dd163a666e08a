/**
 * `agent doctor`: what this machine has and lacks, for running jobs and for serving.
 *
 * @module
 */

import { accessSync, constants } from 'node:fs'
import { tmpdir } from 'node:os'
import { defineCommand } from 'citty'
import { type Check, examineAll, overallState } from '../checks/check.ts'
import { DEFAULT_PATH, hostEnvironment, jobEnvironment, wantsColours } from '../config.ts'
import { callingChecks } from '../doctor/calling.ts'
import { machineChecks } from '../doctor/machine.ts'
import { renderJson, renderTable } from '../doctor/report.ts'
import { servingChecks } from '../doctor/serving.ts'
import { EXECUTOR_KINDS } from '../executors/registry.ts'
import { commandOfFlags } from '../service/modes.ts'
import { CONFIG_DIRECTORY, CONFIG_PATH } from '../service/unit.ts'
import { flagLayer, resolveSettings } from '../settings/layers.ts'
import { SERVE_SETTINGS } from '../settings/serve-settings.ts'
import { variableOf } from '../settings/setting.ts'
import type { ConfigSources } from '../settings/sources.ts'
import { callsControlPlane } from '../settings/start-config.ts'
import { START_SETTINGS } from '../settings/start-settings.ts'
import { oneOf } from '../settings/value-type.ts'
import { print } from './print.ts'
import { settingArgs } from './setting-args.ts'

const REPORT_SETTINGS = {
  format: {
    type: oneOf(['text', 'json']),
    default: 'text',
    description: 'Table, or one JSON object',
  },
} as const

export const doctorCommand = defineCommand({
  meta: {
    name: 'doctor',
    description: `Check what this machine lacks for running jobs, and say what to do about it.

Checks the machine itself, what jobs on this host and jobs in containers need, and what agent serve,
or agent start if --endpoint or a token is given, would need with the same options, variables and
file, or with those of the service that agent install created, if there is one. Changes nothing.

  ok       it works
  warning  it is missing and only some jobs need it, or it will become a problem
  problem  it is missing and everything needs it, or it is present and does not work

Exit code: 1 if there is a problem, otherwise 0

Examples:
  agent doctor
  agent doctor --endpoint ci.example.com --token-file ./token
  agent doctor --port 443 --tls-cert-path /etc/agent/server.crt --tls-key-path /etc/agent/server.key
  agent doctor --format json | jq '.findings[] | select(.state != "ok")'`,
  },
  args: {
    color: {
      type: 'boolean',
      default: true,
      description: 'Use colours on a terminal',
      negativeDescription: 'Use no colours, even on a terminal',
    },
    ...settingArgs(REPORT_SETTINGS),
    ...settingArgs({ ...SERVE_SETTINGS, ...START_SETTINGS }),
  },
  run: async ({ args }) => {
    const { format } = resolveSettings(REPORT_SETTINGS, [flagLayer(REPORT_SETTINGS, args)])
    const isTerminal = process.stdout.isTTY === true
    const colours = args.color && wantsColours(hostEnvironment(), isTerminal)
    const findings = await examineAll(await findChecks(args))
    const text = format === 'json' ? renderJson(findings) : renderTable(findings, { colours })
    await print(text)
    process.exit(overallState(findings) === 'problem' ? 1 : 0) // even if a check is still waiting
  },
})

/** Of the machine, and of the agent that these flags make. */
export async function findChecks(flags: Readonly<Record<string, unknown>>): Promise<Check[]> {
  const environment = hostEnvironment()
  const path = environment['PATH'] ?? DEFAULT_PATH
  const temporaryDirectory = tmpdir()
  const options = {
    environment: jobEnvironment(environment),
    path,
    dockerHost: environment['DOCKER_HOST'],
    temporaryDirectory,
  }
  return [
    ...machineChecks({ temporaryDirectory, path }),
    ...(await Promise.all(EXECUTOR_KINDS.map((kind) => kind.checks(options)))).flat(),
    ...(await serviceChecks({
      ...withService({ flags, environment, workingDirectory: process.cwd() }),
      isRoot: process.getuid?.() === 0,
    })),
  ]
}

/** For the kind of agent that these settings describe. Both kinds report an unreadable file. */
async function serviceChecks(sources: ConfigSources): Promise<Check[]> {
  const isCaller =
    commandOfFlags(sources.flags) === 'start' ||
    (await callsControlPlane(sources).catch(() => false))
  return isCaller ? await callingChecks(sources) : await servingChecks(sources)
}

/** Unless options say otherwise, examines the installed service, if its settings are readable. */
function withService(sources: Omit<ConfigSources, 'isRoot'>): Omit<ConfigSources, 'isRoot'> {
  const { flags, environment } = sources
  const given = flags['config-file'] ?? environment[variableOf('config-file')]
  if (given !== undefined || !isReadable(CONFIG_PATH)) return sources
  return {
    environment,
    flags: { ...flags, 'config-file': CONFIG_PATH },
    workingDirectory: CONFIG_DIRECTORY,
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}
