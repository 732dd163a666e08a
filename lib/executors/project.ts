/**
 * Whose keys a job works with in the agent's own cache.
 *
 * @module
 */

import { ContentError } from '../errors.ts'
import { decodeBase64 } from '../request/base64.ts'
import type { EncodedVariable, JobRequest } from '../request/job-request.ts'
import { type JobConfig, variablesOf } from '../settings/job-config.ts'

const NAME = 'SEMAPHORE_PROJECT_ID'

/**
 * The project as whoever sent the job has named it, or this host's owner: a job cannot change it, for
 * what its shell exports is not looked at.
 *
 * @returns empty when nobody has named one: such jobs share their keys
 */
export function projectOf(request: JobRequest, config: JobConfig): string {
  const [main] = request.compose?.containers ?? []
  const variables = [...(main?.envVars ?? []), ...variablesOf(config, request.envVars)]
  const given = variables.findLast(({ name }) => name === NAME)
  if (given !== undefined) return decode(given)
  return main === undefined ? (config.jobEnvironment[NAME] ?? '') : ''
}

function decode({ value }: EncodedVariable): string {
  try {
    return decodeBase64(value, `The value of ${NAME}`).toString()
  } catch (error) {
    if (error instanceof ContentError) return '' // reported in the block that exports it, which ends the job
    throw error
  }
}
