/**
 * `agent install`: the agent as a systemd service.
 *
 * @module
 */

import { accessSync, constants, existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { defineCommand } from 'citty'
import { hostEnvironment, parseDuration } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { findInstalledUser, installService, requireSystemd } from '../service/install.ts'
import {
  CONFIG_DIRECTORY,
  CONFIG_PATH,
  renderUnit,
  SECRET_PATH,
  SERVICE,
  STATE_DIRECTORY,
  STOP_MARGIN_MS,
} from '../service/unit.ts'
import { findServeSecret, loadServeConfigButSecret } from '../settings/serve-config.ts'
import { SERVE_SETTINGS } from '../settings/serve-settings.ts'
import type { ConfigSources } from '../settings/sources.ts'
import { PATH } from '../settings/value-type.ts'
import { print } from './print.ts'
import { settingArgs } from './setting-args.ts'

/** Not kept in the settings file: they say where it, and the secret, come from. */
const SOURCES: ReadonlySet<string> = new Set([
  'auth-token-secret',
  'auth-token-secret-file',
  'config-file',
])

/** Of a service, where the ones of `agent serve` are others. */
const DEFAULTS = {
  'auth-token-secret-file': SECRET_PATH,
  'state-dir': STATE_DIRECTORY,
  'log-file-path': `${STATE_DIRECTORY}/agent.log`,
  'shutdown-timeout': '1h',
}

/** Directories which the service's user may not be able to make. */
const DIRECTORIES = ['state-dir', 'cache-dir']

export const installCommand = defineCommand({
  meta: {
    name: 'install',
    description: `Install this agent as a systemd service that runs agent serve.

Writes ${CONFIG_PATH} with the options given, ${SECRET_PATH} and the unit
${SERVICE}, and starts it. When called again it changes what is given and keeps the
rest. If no secret is given it creates one.

Examples:
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
    ...settingArgs(SERVE_SETTINGS),
  },
  run: async ({ args }) => {
    const isDryRun = args['dry-run'] === true
    if (!isDryRun) requireSystemd('install')
    const user = userOf(args.user) ?? (await findInstalledUser()) ?? 'root'
    const settings = givenSettings(args)
    const configFile = args['config-file'] as string | undefined
    const sources = sourcesOf({ ...settings, 'config-file': configFile ?? existingConfig() })
    const config = await loadServeConfigButSecret(sources)
    const shutdownTimeout =
      config.shutdownTimeout ?? parseDuration('', DEFAULTS['shutdown-timeout'])
    const stopTimeoutMs = shutdownTimeout + config.job.stopGracePeriod + STOP_MARGIN_MS
    const unit = { agentPath: process.execPath, user, stopTimeoutMs }
    if (isDryRun) {
      await print(renderUnit(unit))
      return
    }
    await installService({
      ...unit,
      secret: await findServeSecret(sourcesOf(args, hostEnvironment())),
      configFile,
      settings,
      directories: DIRECTORIES.flatMap((name) => settings[name] ?? []),
      defaults: DEFAULTS,
      print: printLine,
    })
    printLine(`The service runs. Its log: journalctl -u ${SERVICE} -f`)
  },
})

/** @throws {ConfigError} for what no system takes as a name; what has digits alone is an id to systemd */
function userOf(name: string | undefined): string | undefined {
  if (name === undefined || /^(?!\d+$)[^\s:,/-][^\s:,/]*$/.test(name)) return name
  throw new ConfigError(`--user: expected the name of a user, got "${name}"`, {
    hint: 'Give a name such as ci; a user that does not exist is created.',
  })
}

function givenSettings(args: Readonly<Record<string, unknown>>): Record<string, string> {
  const given: Record<string, string> = {}
  for (const [name, { type }] of Object.entries(SERVE_SETTINGS)) {
    const value = args[name]
    if (value === undefined || SOURCES.has(name)) continue
    // The service starts in another directory than the one this is called from.
    given[name] = type === PATH && value !== '' ? resolve(String(value)) : String(value)
  }
  return given
}

/** Variables of the person who calls this are not those of the service. */
function sourcesOf(
  flags: Readonly<Record<string, unknown>>,
  environment: NodeJS.ProcessEnv = {},
): ConfigSources {
  return { flags, environment, workingDirectory: CONFIG_DIRECTORY, isRoot: true }
}

/** Of an earlier installation. @throws {ConfigError} for who may not read it */
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
