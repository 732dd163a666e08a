/**
 * Flags and the environment as settings the rest of the agent can trust. Only this file reads
 * `process.env`.
 *
 * @module
 */

import { tmpdir } from 'node:os'
import { ConfigError } from './errors.ts'

export interface RunConfig {
  readonly format: 'json' | 'text'
  readonly colours: boolean
  /** Width of the terminal, in characters. */
  readonly columns: number
  readonly stopGracePeriodMs: number
  readonly callbackAttempts: number
  readonly dockerSocketPath: string
  readonly temporaryDirectory: string
  /** What a job's shell on this host inherits. */
  readonly jobEnvironment: Readonly<Record<string, string>>
}

/** As the command line gives them; names are those of the flags. */
export interface RunFlags {
  readonly format: string
  readonly color: boolean
  readonly 'stop-grace-period': string
  readonly 'callback-retry-attempts': string
}

const DEFAULT_DOCKER_SOCKET = '/var/run/docker.sock'
const DEFAULT_COLUMNS = 80

/** The agent's own settings, its secret among them, are none of the job's business. */
const OWN_VARIABLES = 'SEMAPHORE_AGENT_'

/** What of the process settings depend on; a test passes a plain object. */
export interface Host {
  readonly env: NodeJS.ProcessEnv
  readonly stdout: { readonly isTTY?: boolean; readonly columns?: number }
}

/** @throws {ConfigError} naming the flag or variable that cannot be used */
export function loadRunConfig(flags: RunFlags, host: Host = process): RunConfig {
  const { env, stdout } = host
  return {
    format: parseFormat(flags.format),
    colours: wantsColours(flags.color, env, stdout.isTTY === true),
    columns: stdout.columns ?? DEFAULT_COLUMNS,
    stopGracePeriodMs: parseDuration('--stop-grace-period', flags['stop-grace-period']),
    callbackAttempts: parseCount('--callback-retry-attempts', flags['callback-retry-attempts']),
    dockerSocketPath: parseDockerHost(env['DOCKER_HOST']),
    temporaryDirectory: tmpdir(),
    jobEnvironment: jobEnvironment(env),
  }
}

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
  return Math.round(Number(digits) * factor)
}

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
    hint: 'The agent speaks to an engine over a Unix socket only; unset DOCKER_HOST for the default.',
  })
}

function parseFormat(format: string): RunConfig['format'] {
  if (format === 'json' || format === 'text') return format
  throw new ConfigError(`--format: expected text or json, got "${format}"`, {
    hint: 'Use --format text for people, --format json for programs.',
  })
}

/** @see https://no-color.org and https://force-color.org */
function wantsColours(flag: boolean, env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if (!flag || (env['NO_COLOR'] ?? '') !== '') return false
  if ((env['FORCE_COLOR'] ?? '') !== '') return env['FORCE_COLOR'] !== '0'
  return isTerminal
}
