/**
 * Where a job's S3 cache is and with which credentials, from the job's variables. Pure.
 *
 * @see lib/cache/README.md#where-archives-are-kept
 * @module
 */

import { CacheError } from '../../errors.ts'

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface S3Settings {
  readonly project: string
  readonly bucket: string
  /** A server other than Amazon's, addressed as `<endpoint>/<bucket>`. */
  readonly endpoint: string | undefined
  readonly region: string
  /** Absent = what this host has for everybody: the agent's environment, `~/.aws`, its role. */
  readonly credentials: S3Credentials | undefined
  /** `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, also in small letters. */
  readonly proxies: Readonly<Record<string, string | undefined>>
  /** To the first byte of what is short to find; it is asked six times. Default 30,000. */
  readonly answerTimeoutMs?: number
}

type Variables = Readonly<Record<string, string | undefined>>

/** Servers other than Amazon's ignore it; Amazon's say which is the right one, and are asked there. */
const DEFAULT_REGION = 'us-east-1'

const PROXY_VARIABLE = /^https?_proxy$/i

/** What the agent adds to the job's variables. */
interface Agent {
  /** For what the job does not say. */
  readonly environment: Variables
  /** As the job's request names it; empty = not at all. */
  readonly project: string
}

/**
 * The job's own credentials say what it may reach, whatever project it names. The agent's are for
 * every job: with them the project is the request's.
 *
 * @param variables the job's
 * @throws {CacheError} when one is missing or no use
 */
export function parseS3Settings(variables: Variables, { environment, project }: Agent): S3Settings {
  const regionOf = (from: Variables) => from['AWS_REGION'] || from['AWS_DEFAULT_REGION']
  const credentials = parseCredentials(variables)
  const named = credentials === undefined ? { SEMAPHORE_PROJECT_ID: project } : variables
  return {
    project: required(named, 'SEMAPHORE_PROJECT_ID'),
    bucket: required(variables, 'SEMAPHORE_CACHE_S3_BUCKET'),
    endpoint: parseEndpoint(variables['SEMAPHORE_CACHE_S3_URL']),
    region: regionOf(variables) || regionOf(environment) || DEFAULT_REGION,
    credentials,
    proxies: checkProxies(
      Object.keys(variables).some((name) => PROXY_VARIABLE.test(name)) ? variables : environment,
    ),
  }
}

/** Node would tell of it with the whole value, password and all. */
function checkProxies(variables: Variables): Variables {
  for (const [name, value] of Object.entries(variables)) {
    if (!PROXY_VARIABLE.test(name) || !value || URL.canParse(value)) continue
    throw new CacheError(`${name} is not the address of a proxy`, {
      hint: 'Give it as http://host:port; percent-encode special characters in the user and password, e.g. %2F for /.',
    })
  }
  return variables
}

function required(variables: Variables, name: string): string {
  const value = variables[name]
  if (value) return value
  throw new CacheError(`${name} is not set: the cache in S3 needs it`, {
    hint: `Set ${name} in the env_vars of the job, or unset SEMAPHORE_CACHE_BACKEND for the cache on the agent's host.`,
  })
}

function parseEndpoint(text: string | undefined): string | undefined {
  if (!text) return undefined
  const url = URL.parse(text)
  const isPlain = url?.username === '' && url.password === '' && url.search === ''
  if (isPlain && /^https?:$/.test(url.protocol)) return url.href.replace(/\/$/, '')
  // Not shown: it may have a password in it.
  throw new CacheError('SEMAPHORE_CACHE_S3_URL is not the address of a server', {
    hint: 'Give it as https://host or http://host:port, without user and password.',
  })
}

function parseCredentials(variables: Variables): S3Credentials | undefined {
  return (
    pair(variables, 'SEMAPHORE_CACHE_S3_KEY', 'SEMAPHORE_CACHE_S3_SECRET') ??
    pair(variables, 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN')
  )
}

function pair(
  variables: Variables,
  keyName: string,
  secretName: string,
  tokenName = '',
): S3Credentials | undefined {
  const accessKeyId = variables[keyName] ?? ''
  const secretAccessKey = variables[secretName] ?? ''
  const sessionToken = variables[tokenName]
  if (accessKeyId === '' && secretAccessKey === '') return undefined
  if (accessKeyId === '' || secretAccessKey === '') {
    const [missing, given] = accessKeyId === '' ? [keyName, secretName] : [secretName, keyName]
    throw new CacheError(`${missing} is not set, but ${given} is`, {
      hint: 'Set both, or neither.',
    })
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
}
