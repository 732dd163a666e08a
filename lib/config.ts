/**
 * What the environment and single arguments of the command line mean. Only this file reads
 * `process.env`; what is made of it is in `settings/`.
 *
 * @module
 */

import { ConfigError } from './errors.ts'

const DEFAULT_DOCKER_SOCKET = '/var/run/docker.sock'

/** For an agent that was started without one. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The agent's own settings, its secret among them, are none of the job's business. */
const OWN_VARIABLES = 'SEMAPHORE_AGENT_'

/** The environment this process was started in, for those who read other settings from it. */
export function hostEnvironment(): NodeJS.ProcessEnv {
  return process.env
}

/** Everything but the agent's own settings. */
export function jobEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const entries = Object.entries(env).flatMap(([name, value]) =>
    value === undefined || name.startsWith(OWN_VARIABLES) ? [] : [[name, value] as const],
  )
  return Object.fromEntries(entries)
}

/**
 * @param name of the flag, for the message
 * @param text a number and its unit: `500ms`, `10s`, `2m`, `1h`
 * @returns milliseconds
 * @throws {ConfigError} when it is anything else
 */
export function parseDuration(name: string, text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim()) ?? []
  const factor = unit === undefined ? undefined : UNITS_MS[unit]
  if (digits === undefined || factor === undefined) {
    throw new ConfigError(`${name}: expected a duration, got "${text}"`, {
      hint: 'Give a number and its unit, e.g. 500ms, 10s, 2m, 1h.',
    })
  }
  const ms = Math.round(Number(digits) * factor)
  if (ms <= MAX_DURATION_MS) return ms
  throw new ConfigError(`${name}: expected at most 500h, got "${text}"`, {
    hint: 'Give a shorter time.',
  })
}

/** A timer of Node's holds 24.8 days; a longer one would go off at once. */
const MAX_DURATION_MS = 500 * 3_600_000

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** @throws {ConfigError} unless the text is a whole number of 1 or more */
export function parseCount(name: string, text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && count >= 1 && Number.isSafeInteger(count)) return count
  throw new ConfigError(`${name}: expected a whole number of 1 or more, got "${text}"`, {
    hint: `Give a number, e.g. ${name} 60.`,
  })
}

/**
 * @returns path of the engine's socket
 * @throws {ConfigError} for an engine that is not on a Unix socket
 */
export function parseDockerHost(host: string | undefined): string {
  if (host === undefined || host === '') return DEFAULT_DOCKER_SOCKET
  const path = host.startsWith('unix://') ? host.slice('unix://'.length) : ''
  if (path.startsWith('/')) return path
  throw new ConfigError(`DOCKER_HOST: expected unix:///path/to/docker.sock, got "${host}"`, {
    hint: "The agent uses the engine's Unix socket only; unset DOCKER_HOST for the default.",
  })
}

/** @see https://no-color.org and https://force-color.org */
export function wantsColours(env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if ((env['NO_COLOR'] ?? '') !== '') return false
  if ((env['FORCE_COLOR'] ?? '') !== '') return env['FORCE_COLOR'] !== '0'
  return isTerminal
}
