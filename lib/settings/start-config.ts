/**
 * The settings of `agent start` as the rest of the agent uses them.
 *
 * @module
 */

import { isIPv6 } from 'node:net'
import { resolve } from 'node:path'
import { ConfigError } from '../errors.ts'
import { checkAgentName } from './agent-name.ts'
import { defaultStateDirectories, type JobConfig, toJobConfig } from './job-config.ts'
import { readSettings } from './layers.ts'
import { Problems } from './problems.ts'
import { findSecret } from './secret.ts'
import { SERVE_SETTINGS } from './serve-settings.ts'
import { type SettingValues, variableOf } from './setting.ts'
import { type ConfigSources, findLayers, warnOfStrays } from './sources.ts'
import { START_SETTINGS } from './start-settings.ts'

type Values = SettingValues<typeof START_SETTINGS>

/** Used as they are given; times are in milliseconds. */
type Plain =
  | 'agents'
  | 'controlPlaneMetrics'
  | 'disconnectAfterIdleTimeout'
  | 'disconnectAfterJob'
  | 'exitWithJobResult'
  | 'interruptionGracePeriod'
  | 'jobId'
  | 'keptLogs'
  | 'keptLogsSize'
  | 'logFilePath'
  | 'logFileSize'
  | 'logFlushTimeout'
  | 'logFormat'
  | 'logLevel'
  | 'metricsHost'
  | 'metricsPort'
  | 'noHttps'
  | 'shutdownHookPath'
  | 'uploadJobLogs'

export interface StartConfig extends Pick<Values, Plain> {
  /** `host` or `host:port`. */
  readonly endpoint: string
  /** The registration token of the agent type. */
  readonly token: string
  /** A name, or a URL that is passed on unchanged; undefined: a name is generated. */
  readonly name: string | undefined
  /** The first writable one is used. */
  readonly stateDirectories: readonly string[]
  readonly job: JobConfig
  /** To be logged, once the log is open. */
  readonly warnings: readonly string[]
}

/** Everything but the token. */
export type StartConfigButToken = Omit<StartConfig, 'token'>

/** @throws {ConfigError} naming everything that cannot be used, whether flag, variable or key */
export async function loadStartConfig(sources: ConfigSources): Promise<StartConfig> {
  const problems = new Problems()
  const config = await readStartConfig(sources, problems)
  const token = await problems.checkLater(requireToken(sources))
  problems.throwIfAny()
  return { ...config, token: token ?? '' }
}

/** For examining a machine that may have no token yet. @throws {ConfigError} as {@link loadStartConfig} */
export async function loadStartConfigButToken(
  sources: ConfigSources,
): Promise<StartConfigButToken> {
  const problems = new Problems()
  const config = await readStartConfig(sources, problems)
  problems.throwIfAny()
  return config
}

/**
 * @returns whether these are settings of an agent that calls its control plane
 * @throws {ConfigError} for a file that cannot be read
 */
export async function callsControlPlane(sources: Sources): Promise<boolean> {
  const either = { ...SERVE_SETTINGS, ...START_SETTINGS }
  const layers = await findLayers(either, sources, new Problems())
  return layers.some((layer) => MARKS.some((name) => layer.has(name)))
}

type Sources = Pick<ConfigSources, 'environment' | 'flags'>

/** Settings that only such an agent has, and of which it needs at least two. */
const MARKS = ['endpoint', 'token', 'token-file']

/**
 * @returns undefined when it is given nowhere
 * @throws {ConfigError} when it is given and cannot be used
 */
export async function findStartToken(sources: Sources): Promise<string | undefined> {
  const layers = await findLayers(START_SETTINGS, sources, new Problems())
  const secret = await findSecret('token', layers, sources.environment)
  if (secret === undefined) return undefined
  const token = secret.text.trim()
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw new ConfigError(`${secret.source}: this is not a registration token`, {
    hint: 'Use it as the control plane shows it, on one line and without quotes.',
  })
}

async function requireToken(sources: Sources): Promise<string> {
  const token = await findStartToken(sources)
  if (token !== undefined) return token
  throw new ConfigError('agent start needs a registration token', {
    hint: `Give it with --token-file, ${variableOf('token')} or --token.`,
  })
}

async function readStartConfig(
  sources: ConfigSources,
  problems: Problems,
): Promise<StartConfigButToken> {
  const { environment, isRoot } = sources
  const layers = await findLayers(START_SETTINGS, sources, problems, 'commas or white space')
  const values = readSettings(START_SETTINGS, layers, problems)
  const { endpoint, token, tokenFile, configFile, stateDir, name, nameFromEnv, ...rest } = values
  const { sourcePreJobHook, failOnPreJobHookError, ...others } = rest
  const settings = { ...others, ...absoluteHooks(values) }
  const stateDirectories =
    stateDir === undefined ? defaultStateDirectories(environment, isRoot) : [stateDir]
  const fleet = { sourcePreJobHook, failOnPreJobHookError }
  const jobValues = { ...settings, callbackRetryAttempts: 1, exposeKvmDevice: false }
  const job = problems.check(() => toJobConfig(jobValues, environment, stateDirectories, fleet))
  checkTogether(values, problems)
  return {
    ...settings,
    endpoint: problems.check(() => checkEndpoint(endpoint)) ?? '',
    name: problems.check(() => findName(values, environment)),
    stateDirectories,
    job: job as JobConfig, // undefined only if there is a problem, which is thrown below
    warnings: [...warnOf(values, sources), ...warnOfStrays(environment)],
  }
}

/** Drops a scheme, since the address is often copied from a browser. @throws {ConfigError} */
function checkEndpoint(given: string | undefined): string {
  if (given === undefined) {
    throw new ConfigError('agent start needs the endpoint of its control plane', {
      hint: `Give it with --endpoint or ${variableOf('endpoint')}, e.g. --endpoint ci.example.com.`,
    })
  }
  const endpoint = given.trim().replace(SCHEME, '').replace(/\/$/, '')
  const [, host = '', port] = /^(\[[^\]]+\]|[^\s/:?#@]+)(?::(\d{1,5}))?$/.exec(endpoint) ?? []
  const isAddress = host.startsWith('[') ? isIPv6(host.slice(1, -1)) : host !== ''
  if (isAddress && URL.canParse(`https://${host}:${port ?? 443}`)) return endpoint
  throw new ConfigError('--endpoint: expected host or host:port', {
    hint: 'Leave out anything after it, e.g. ci.example.com or ci.example.com:8443.',
  })
}

/** A job's shell is in a different directory from the agent's. */
function absoluteHooks({ preJobHookPath, postJobHookPath, shutdownHookPath }: Values) {
  const absolute = (path: string | undefined) => path && resolve(path)
  return {
    preJobHookPath: absolute(preJobHookPath),
    postJobHookPath: absolute(postJobHookPath),
    shutdownHookPath: absolute(shutdownHookPath),
  }
}

const SCHEME = /^https?:\/\//i

/** @throws {ConfigError} */
function findName(values: Values, environment: NodeJS.ProcessEnv): string | undefined {
  const { name, nameFromEnv, agents } = values
  if (name !== undefined) return checkAgentName('--name', name, agents)
  if (nameFromEnv === undefined) return undefined
  const text = environment[nameFromEnv] ?? ''
  if (text !== '') return checkAgentName(nameFromEnv, text, agents)
  throw new ConfigError(`--name-from-env: the variable ${nameFromEnv} is not set`, {
    hint: 'Set it, or give the name with --name.',
  })
}

/** Settings that are valid by themselves but not in combination. */
function checkTogether(values: Values, problems: Problems): void {
  const { agents, disconnectAfterJob, exitWithJobResult, jobId } = values
  if (jobId !== undefined && !UUID.test(jobId)) {
    problems.add(`--job-id: expected a UUID, got "${jobId}"`, 'Copy it from the page of the job.')
  }
  const needs = { '--job-id': jobId !== undefined, '--exit-with-job-result': exitWithJobResult }
  for (const [flag, isGiven] of Object.entries(needs)) {
    if (!isGiven) continue
    if (!disconnectAfterJob) {
      problems.add(`${flag} needs --disconnect-after-job`, 'Give both, or leave it out.')
    }
    if (agents > 1) {
      problems.add(`${flag} is about one job, and --agents ${agents} runs several`, 'Give one.')
    }
  }
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

function warnOf({ endpoint, noHttps, agents }: Values, { flags }: ConfigSources): string[] {
  const warnings: string[] = []
  if (flags['token'] !== undefined) {
    warnings.push(
      `--token is visible in ps to every user of this machine: use --token-file or ${variableOf('token')}`,
    )
  }
  if (endpoint?.startsWith('http://') && !noHttps) {
    warnings.push(
      '--endpoint says http://, but HTTPS is used: add --no-https if plain HTTP is intended',
    )
  }
  if (agents > 1) {
    warnings.push(
      `${agents} jobs may run side by side: those of the shell executor share the agent's user and its files`,
    )
  }
  return warnings
}
