/**
 * What every job on this host gets and may, as the rest of the agent works with it.
 *
 * @module
 */

import { isAbsolute, join, resolve } from 'node:path'
import type { CacheDefaults } from '../cache/store-context.ts'
import { jobEnvironment, parseDockerHost } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { commonDirectories } from '../private/private-directory.ts'
import type { EncodedVariable } from '../request/job-request.ts'
import { currentUser } from '../user.ts'
import type { JOB_SETTINGS } from './job-settings.ts'
import type { SettingValues } from './setting.ts'
import type { Pair } from './value-type.ts'
import { readVariablesFile } from './variables-file.ts'

export type JobSettingValues = SettingValues<typeof JOB_SETTINGS>

export interface JobConfig
  extends Omit<JobSettingValues, 'cacheDir' | 'cacheLimit' | 'envVars' | 'envVarsFile' | 'files'> {
  /** For every job. */
  readonly hostVariables: readonly EncodedVariable[]
  readonly hostFiles: readonly HostFile[]
  /** What a job's shell on this host inherits. */
  readonly jobEnvironment: Readonly<Record<string, string>>
  /** Of the user whose `~/.ssh` and login profile a job gets. */
  readonly home: string
  /** The first that will do gets what nobody else may write. */
  readonly privateDirectories: readonly string[]
  readonly cache: CacheDefaults
  readonly dockerSocketPath: string
  /** Of jobs of `agent start` only. */
  readonly fleet: FleetRules | undefined
}

/**
 * What is different for the jobs of a fleet: the host's variables take precedence over theirs, its
 * hooks run by a bash of their own, and several jobs may run side by side, so that none of them has
 * what a user has once: a jump point, keys, a line in the login profile.
 */
export interface FleetRules {
  readonly sourcePreJobHook: boolean
  readonly failOnPreJobHookError: boolean
}

/**
 * What a job's shell exports: the host's variables and the job's own. Of two with one name the later
 * counts.
 */
export function variablesOf(
  { hostVariables, fleet }: Pick<JobConfig, 'fleet' | 'hostVariables'>,
  own: readonly EncodedVariable[],
): readonly EncodedVariable[] {
  return fleet === undefined ? [...hostVariables, ...own] : [...own, ...hostVariables]
}

/** A file or directory of this host, and where the main container has it. Both absolute. */
export interface HostFile {
  readonly source: string
  readonly target: string
}

/**
 * @param stateDirectories where the cache and what is private are by default; the first that can be written to
 * @throws {ConfigError} for a DOCKER_HOST, a file or a place for files that cannot be used
 */
export function toJobConfig(
  { cacheDir, cacheLimit, envVars, envVarsFile, files, ...values }: JobSettingValues,
  environment: NodeJS.ProcessEnv,
  stateDirectories: readonly string[],
  fleet?: FleetRules,
): JobConfig {
  const ofFile = envVarsFile === undefined ? [] : readVariablesFile(envVarsFile)
  return {
    ...values,
    fleet,
    hostVariables: [...ofFile, ...envVars].map(([name, value]) => ({
      name,
      value: Buffer.from(value).toString('base64'),
    })),
    hostFiles: files.map(toHostFile),
    jobEnvironment: withoutCredentials(jobEnvironment(environment)),
    home: environment['HOME'] || currentUser().home,
    privateDirectories: [
      ...stateDirectories.map((directory) => resolve(directory)),
      ...runtimeDirectories(environment),
      ...commonDirectories(),
    ],
    cache: {
      directories:
        cacheDir === undefined
          ? stateDirectories.map((directory) => join(resolve(directory), 'cache'))
          : [resolve(cacheDir)],
      limitBytes: cacheLimit,
      environment,
    },
    dockerSocketPath: parseDockerHost(environment['DOCKER_HOST']),
  }
}

function toHostFile([source, target]: Pair): HostFile {
  if (target.includes(':')) {
    throw new ConfigError(`--files: expected host:dest, got "${source}:${target}"`, {
      hint: 'Leave out what follows the second colon: such files are mounted as they are.',
    })
  }
  if (target.startsWith('/')) return { source: resolve(source), target }
  throw new ConfigError(`--files: expected an absolute path in the container, got "${target}"`, {
    hint: `Give the whole path, e.g. ${source}:/etc/given`,
  })
}

/** @see https://specifications.freedesktop.org/basedir-spec/latest/ for the one of other users */
export function defaultStateDirectories(environment: NodeJS.ProcessEnv, isRoot: boolean): string[] {
  const home = environment['HOME'] || currentUser().home
  const state = environment['XDG_STATE_HOME'] || join(home, '.local', 'state')
  return [...(isRoot ? ['/var/lib/agent'] : []), join(state, 'agent')]
}

/** Of a user without a home: it is created again at each login. */
function runtimeDirectories({ XDG_RUNTIME_DIR: directory = '' }: NodeJS.ProcessEnv): string[] {
  return isAbsolute(directory) ? [join(directory, 'agent')] : []
}

/**
 * What systemd says to the agent alone: where its credentials are, and how to speak for the service.
 *
 * @see systemd.exec(5), sd_notify(3), sd_watchdog_enabled(3)
 */
const OF_SERVICE = ['CREDENTIALS_DIRECTORY', 'NOTIFY_SOCKET', 'WATCHDOG_PID', 'WATCHDOG_USEC']

/** A job must not be able to read the agent's credentials, nor need to. */
function withoutCredentials(environment: Record<string, string>): Record<string, string> {
  const entries = Object.entries(environment)
  return Object.fromEntries(entries.filter(([name]) => !OF_SERVICE.includes(name)))
}
