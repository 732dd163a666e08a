/**
 * The two agents that can be a service: one that its control plane calls, and one that calls it.
 *
 * @module
 */

import { parseDuration } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { findServeSecret, loadServeConfigButSecret } from '../settings/serve-config.ts'
import { SERVE_SETTINGS } from '../settings/serve-settings.ts'
import type { SettingTable } from '../settings/setting.ts'
import type { ConfigSources } from '../settings/sources.ts'
import {
  callsControlPlane,
  findStartToken,
  loadStartConfigButToken,
} from '../settings/start-config.ts'
import { START_SETTINGS } from '../settings/start-settings.ts'
import {
  SECRET_PATH,
  type ServiceCommand,
  STATE_DIRECTORY,
  STOP_MARGIN_MS,
  TOKEN_PATH,
} from './unit.ts'

export interface ServiceMode {
  readonly command: ServiceCommand
  readonly settings: SettingTable
  /** Of a service, where those of the command are others. */
  readonly defaults: Readonly<Record<string, string>>
  /**
   * Between being told to stop and being killed.
   *
   * @throws {ConfigError} naming everything in the settings that cannot be used, the secret apart
   */
  findStopTimeoutMs(sources: ConfigSources): Promise<number>
  /**
   * What is kept in a file of its own.
   *
   * @returns undefined when it is given nowhere
   * @throws {ConfigError} when it is given and cannot be used
   */
  findSecret(sources: ConfigSources): Promise<string | undefined>
}

/** Not kept in the settings file: they say where it, and the secret, come from. */
export const SOURCE_SETTINGS: ReadonlySet<string> = new Set([
  ...['auth-token-secret', 'auth-token-secret-file', 'token', 'token-file', 'config-file'],
])

const PLACES = {
  'state-dir': STATE_DIRECTORY,
  'log-file-path': `${STATE_DIRECTORY}/agent.log`,
}

const SHUTDOWN_TIMEOUT = '1h'

export const SERVICE_MODES: Readonly<Record<ServiceCommand, ServiceMode>> = {
  serve: {
    command: 'serve',
    settings: SERVE_SETTINGS,
    defaults: {
      ...{ 'auth-token-secret-file': SECRET_PATH, ...PLACES },
      'shutdown-timeout': SHUTDOWN_TIMEOUT,
    },
    async findStopTimeoutMs(sources) {
      const { shutdownTimeout, job } = await loadServeConfigButSecret(sources)
      const drainMs = shutdownTimeout ?? parseDuration('', SHUTDOWN_TIMEOUT)
      return drainMs + job.stopGracePeriod + STOP_MARGIN_MS
    },
    findSecret: findServeSecret,
  },
  start: {
    command: 'start',
    settings: START_SETTINGS,
    defaults: { 'token-file': TOKEN_PATH, ...PLACES },
    async findStopTimeoutMs(sources) {
      const config = await loadStartConfigButToken(sources)
      const { interruptionGracePeriod, logFlushTimeout, job } = config
      return interruptionGracePeriod + job.stopGracePeriod + logFlushTimeout + STOP_MARGIN_MS
    },
    findSecret: findStartToken,
  },
}

/**
 * @returns whose flags these are, undefined when both have all of them
 * @throws {ConfigError} for a flag of each
 */
export function commandOfFlags(
  flags: Readonly<Record<string, unknown>>,
): ServiceCommand | undefined {
  const given = Object.keys(flags).filter((name) => flags[name] !== undefined)
  const firstOf = (own: SettingTable, other: SettingTable) =>
    given.find((name) => Object.hasOwn(own, name) && !Object.hasOwn(other, name))
  const serve = firstOf(SERVE_SETTINGS, START_SETTINGS)
  const start = firstOf(START_SETTINGS, SERVE_SETTINGS)
  if (serve !== undefined && start !== undefined) {
    throw new ConfigError(`--${serve} is of agent serve, and --${start} of agent start`, {
      hint: 'Give --endpoint and --token-file for an agent that calls its control plane, and neither for one that is called.',
    })
  }
  if (start !== undefined) return 'start'
  return serve === undefined ? undefined : 'serve'
}

/** @throws {ConfigError} for a file that cannot be read */
export async function commandOfFile(path: string): Promise<ServiceCommand> {
  const isCaller = await callsControlPlane({ flags: { 'config-file': path }, environment: {} })
  return isCaller ? 'start' : 'serve'
}
