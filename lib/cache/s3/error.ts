/**
 * What an S3 server or the way to it has said, as an error the job's author can act on.
 *
 * @module
 */

import { CacheError } from '../../errors.ts'
import type { S3Settings } from './settings.ts'

/** What the SDK's errors have in common, as far as they have it. */
interface SdkError {
  readonly name?: string
  readonly message?: string
  readonly code?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

const HINTS: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Create the bucket, or correct SEMAPHORE_CACHE_S3_BUCKET.',
  InvalidAccessKeyId: 'Correct SEMAPHORE_CACHE_S3_KEY (or AWS_ACCESS_KEY_ID).',
  SignatureDoesNotMatch: 'Correct SEMAPHORE_CACHE_S3_SECRET (or AWS_SECRET_ACCESS_KEY).',
  ExpiredToken: 'Give the job credentials that live as long as it does.',
  RequestTimeTooSkewed: "Correct the clock of the agent's host.",
  QuotaExceeded: 'Delete keys of the cache, or give the bucket more room.',
  XMinioStorageFull: 'Delete keys of the cache, or give the server more room.',
}

const DENIED_HINT =
  'The credentials must be allowed to list the bucket and to read, write and delete objects in it.'

const CREDENTIALS_HINT =
  'Set SEMAPHORE_CACHE_S3_KEY and SEMAPHORE_CACHE_S3_SECRET (or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) in the job.'

const UNREACHABLE_HINT =
  "Check SEMAPHORE_CACHE_S3_URL, and that the agent's host reaches it; a proxy is named with HTTPS_PROXY."

const FORBIDDEN = 403

/** Credentials are in none of the messages: servers are sent signatures, and never answer with them. */
export function toCacheError(error: unknown, { bucket, endpoint }: S3Settings): CacheError {
  if (error instanceof CacheError) return error
  const { name = '', message = '', code, $metadata } = error as SdkError
  const status = $metadata?.httpStatusCode
  if (/Credentials/.test(name) && status === undefined) {
    return new CacheError(`No credentials were found for the S3 bucket '${bucket}'`, {
      hint: CREDENTIALS_HINT,
      cause: error,
    })
  }
  if (status === undefined) {
    const reason = message || code || name
    return new CacheError(`S3 at ${endpoint ?? 'Amazon'} cannot be reached: ${reason}`, {
      hint: UNREACHABLE_HINT,
      cause: error,
    })
  }
  const reason = /^(\d*|UnknownError|Unknown)$/.test(message) ? name : `${name}: ${message}`
  const hint = HINTS[name] ?? (status === FORBIDDEN ? DENIED_HINT : 'Try again later.')
  return new CacheError(`S3 answered for the bucket '${bucket}': ${reason} (HTTP ${status})`, {
    hint,
    cause: error,
  })
}

/** Whether the server has answered with this code of the S3 API. */
export function isS3Error(error: unknown, ...names: readonly string[]): boolean {
  const { name, $metadata } = error as SdkError
  return $metadata?.httpStatusCode !== undefined && names.includes(name ?? '')
}
