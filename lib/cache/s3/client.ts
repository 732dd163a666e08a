/**
 * The SDK's client, made for one job: its credentials, its server, this host's trust and proxies.
 *
 * @module
 */

import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { S3Client } from '@aws-sdk/client-s3'
import { trustedAuthorities } from '../../trust.ts'
import type { S3Settings } from './settings.ts'

/** Resets, refusals, 5xx and "slow down" are tried again, after 0.1 s at first, 3 s in the end. */
const MAX_ATTEMPTS = 6

const CONNECT_TIMEOUT_MS = 10_000

/** Without a byte in either direction. A server that puts parts together may think for a while. */
const STALL_TIMEOUT_MS = 120_000

const MAX_SOCKETS = 16

export function createS3Client(settings: S3Settings): S3Client {
  const { endpoint, region, credentials, proxies } = settings
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS, proxyEnv: { ...proxies } }
  const isPlain = endpoint?.startsWith('http:') === true
  return new S3Client({
    region,
    ...(endpoint === undefined
      ? { followRegionRedirects: true }
      : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: MAX_ATTEMPTS,
    // Archives carry a checksum of their own, and older servers know none of these.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: STALL_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(options),
      httpsAgent: new HttpsAgent(isPlain ? options : { ...options, ca: trustedAuthorities() }),
    },
  })
}
