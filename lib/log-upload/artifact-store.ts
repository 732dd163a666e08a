/**
 * Where the variables of a job say that its artifacts go.
 *
 * @module
 */

import { ContentError } from '../errors.ts'
import { decodeBase64 } from '../request/base64.ts'
import type { EncodedVariable } from '../request/job-request.ts'

/** Whether a job's log is uploaded when the job is over; `when-trimmed`: if the control plane did not take all of it. */
export type UploadPolicy = 'always' | 'never' | 'when-trimmed'

/** Where a job's artifacts go, and the token for that. */
export interface ArtifactStore {
  readonly url: string
  readonly token: string
}

/** Unless the control plane says otherwise. */
const MAX_LOG_BYTES = 16 * 1024 * 1024

/**
 * For an agent that keeps the log for others to read.
 *
 * @param maxBytes how much of a log the control plane takes, as the request says
 */
export function wantsUpload(
  variables: readonly EncodedVariable[],
  log: { readonly size: number },
  maxBytes = MAX_LOG_BYTES,
): boolean {
  const policy = valueIn(variables, 'SEMAPHORE_AGENT_UPLOAD_JOB_LOGS')
  return isUploadDue(policy as UploadPolicy, log.size > maxBytes)
}

/** @param policy any other value means `never` */
export function isUploadDue(policy: UploadPolicy, isTrimmed: boolean): boolean {
  return policy === 'always' || (policy === 'when-trimmed' && isTrimmed)
}

/** @throws {Error} whose message completes "could not be uploaded: ", for a job that has none */
export function findArtifactStore(variables: readonly EncodedVariable[]): ArtifactStore {
  const organization = requireValue(variables, 'SEMAPHORE_ORGANIZATION_URL')
  const token = requireValue(variables, 'SEMAPHORE_ARTIFACT_TOKEN')
  if (!/^https?:$/.test(URL.parse(organization)?.protocol ?? '')) {
    throw new Error('SEMAPHORE_ORGANIZATION_URL of the job is not an http:// or https:// URL')
  }
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new Error('SEMAPHORE_ARTIFACT_TOKEN is not a valid token')
  return { url: `${organization.replace(/\/+$/, '')}/api/v1/artifacts`, token }
}

function requireValue(variables: readonly EncodedVariable[], name: string): string {
  const value = valueIn(variables, name)
  if (value !== '') return value
  throw new Error(`the job has no variable ${name}`)
}

/** @returns the empty string when there is none, or it cannot be decoded */
function valueIn(variables: readonly EncodedVariable[], wanted: string): string {
  const variable = variables.findLast(({ name }) => name === wanted)
  if (variable === undefined) return ''
  try {
    return decodeBase64(variable.value, `The value of ${wanted}`).toString().trim()
  } catch (error) {
    if (error instanceof ContentError) return '' // reported in the block that exports it
    throw error
  }
}
