/**
 * The secrets of a job: values that its request marks, credentials, and variables that are named like a
 * secret.
 *
 * @module
 */

import type { Logger } from '../log.ts'
import { Masking } from '../masking/masking.ts'
import type { EncodedFile, EncodedVariable, JobRequest } from '../request/job-request.ts'
import type { JobConfig } from '../settings/job-config.ts'

/** Names of variables whose values are usually secret. */
const SECRET_NAME = /_(?:TOKEN|PASSWORD|SECRET|KEY)$/i

/** A shorter value may well be something else: `CACHE_KEY=v1`. */
const MIN_GUESSED_BYTES = 8

export interface JobSecrets {
  readonly masking: Masking
  /** Lines for the job's author: values that are marked as secret, but cannot be masked everywhere. */
  readonly exposed: readonly string[]
}

type Configured = Pick<JobConfig, 'hostVariables' | 'jobEnvironment' | 'maskByName'>

export function findSecrets(request: JobRequest, config: Configured): JobSecrets {
  const masking = new Masking()
  const exposed = new Set<string>()
  for (const { name, value } of markedIn(request)) {
    const problem = masking.add(value)
    if (problem !== undefined) exposed.add(`${name} ${problem}\n`)
  }
  for (const value of credentialsOf(request)) masking.add(value)
  if (config.maskByName) for (const value of guessed(request, config)) masking.add(value)
  return { masking, exposed: [...exposed] }
}

interface Marked {
  readonly name: string
  readonly value: Uint8Array
}

function markedIn(request: JobRequest): Marked[] {
  const { containers = [], imagePullCredentials = [] } = request.compose ?? {}
  const parts = [request, ...containers, ...imagePullCredentials]
  const variables = parts.flatMap(({ envVars }) => envVars.filter(isMarked))
  const files = parts.flatMap(({ files }) => files.filter(isMarked))
  return [
    ...variables.map(({ name, value }) => ({ name, value: decode(value) })),
    ...files.map(({ path, content }) => ({ name: path, value: decode(content) })),
  ]
}

/** Whether its value is masked, unless it is too short. */
export function isMasked(variable: EncodedVariable, maskByName: boolean): boolean {
  if (isMarked(variable)) return true
  return maskByName && isGuessed(variable) && decode(variable.value).length >= MIN_GUESSED_BYTES
}

function isMarked({ secret }: EncodedFile | EncodedVariable): boolean {
  return secret === true
}

/** Always masked: nobody prints these on purpose. */
function credentialsOf({ compose, callbacks, logger }: JobRequest): Uint8Array[] {
  const { imagePullCredentials = [] } = compose ?? {}
  const values = imagePullCredentials.flatMap(({ envVars, files }) => [
    ...envVars.filter(({ name }) => SECRET_NAME.test(name)).map(({ value }) => value),
    ...files.map(({ content }) => content),
  ])
  const tokens = [callbacks.token ?? '', logger.token ?? '']
  return [...values.map(decode), ...tokens.map((token) => Buffer.from(token))]
}

function guessed(request: JobRequest, { hostVariables, jobEnvironment }: Configured): Buffer[] {
  const ofContainers = request.compose?.containers.flatMap(({ envVars }) => envVars) ?? []
  const encoded = [...hostVariables, ...request.envVars, ...ofContainers]
  const values = [
    ...encoded.filter(isGuessed).map(({ value }) => decode(value)),
    ...Object.entries(jobEnvironment)
      .filter(([name]) => isGuessed({ name }))
      .map(([, value]) => Buffer.from(value)),
  ]
  return values.filter(({ length }) => length >= MIN_GUESSED_BYTES)
}

function isGuessed({ name, secret }: Pick<EncodedVariable, 'name' | 'secret'>): boolean {
  return secret === undefined && SECRET_NAME.test(name)
}

/** Lenient: invalid base64 is reported where the value is used. */
function decode(encoded: string): Buffer {
  return Buffer.from(encoded, 'base64')
}

/** For what the agent itself logs about the job. */
export function maskedLog(log: Logger, masking: Masking): Logger {
  return {
    debug: (message) => log.debug(masking.mask(message)),
    info: (message) => log.info(masking.mask(message)),
    warn: (message) => log.warn(masking.mask(message)),
    error: (message) => log.error(masking.mask(message)),
  }
}
