/**
 * Uploads a job's log as an artifact of the job, since the control plane shows only the beginning of a
 * long one.
 *
 * @module
 */

import { pipeline, Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { Deadline } from '../async/abort.ts'
import { retry } from '../async/retry.ts'
import { messageOf } from '../errors.ts'
import type { ReadableLog } from '../events/job-log-reader.ts'
import type { Logger } from '../log.ts'
import { createOutboundClient, type OutboundClient, type TextResponse } from '../outbound.ts'
import type { EncodedVariable } from '../request/job-request.ts'
import { type ArtifactStore, findArtifactStore } from './artifact-store.ts'
import { renderPlainText } from './plain-text.ts'

export interface LogUpload {
  /** Complete: the job is over. */
  readonly jobLog: ReadableLog
  readonly jobId: string
  /** The job's: they contain the address for artifacts and the token for it. */
  readonly variables: readonly EncodedVariable[]
  /** The agent's own. */
  readonly log: Logger
  /** Aborting gives it up. */
  readonly signal: AbortSignal
  /** Pauses before the second try of a call that may succeed later, the third… Default: 1, 2, 4 and 8 s. */
  readonly delaysMs?: readonly number[]
  /** Texts of at least this size are compressed. Default 100 MiB. */
  readonly gzipFromBytes?: number
}

const GZIP_FROM_BYTES = 100 * 1024 * 1024

const DELAYS_MS = [1_000, 2_000, 4_000, 8_000]

/** For all of it: the end of the job waits. */
const LIMIT_MS = 10 * 60_000

const CALL_TIMEOUT_MS = 30_000

/** Never rejects: a failure is logged, and changes nothing. */
export async function uploadJobLog(upload: LogUpload): Promise<void> {
  const { log, signal, variables } = upload
  using deadline = new Deadline(LIMIT_MS, signal)
  const client = createOutboundClient()
  try {
    const store = findArtifactStore(variables)
    const { path, bytes } = await send({ ...upload, signal: deadline.signal }, store, client)
    log.info(`The job's log was uploaded as ${path} (${bytes} bytes)`)
  } catch (error) {
    const reason = deadline.signal.aborted ? deadline.signal.reason : error
    log.error(`The job's log could not be uploaded as an artifact: ${messageOf(reason)}`)
  } finally {
    await client.close()
  }
}

/** Reads the log twice: first for its size, which storage services require before the first byte. */
async function send(
  upload: LogUpload,
  store: ArtifactStore,
  client: OutboundClient,
): Promise<{ readonly path: string; readonly bytes: number }> {
  const { jobLog, jobId, signal, gzipFromBytes = GZIP_FROM_BYTES } = upload
  const plain = () => renderPlainText(jobLog, signal)
  const plainBytes = await measure(plain())
  const isLarge = plainBytes >= gzipFromBytes
  const render = isLarge ? () => gzip(plain()) : plain
  const bytes = isLarge ? await measure(render()) : plainBytes
  const path = `artifacts/jobs/${jobId}/agent/job_logs.txt${isLarge ? '.gz' : ''}`
  const url = await askWhereTo(path, upload, { store, client })
  await repeated(upload, 'the storage', () =>
    client.call({
      ...{ method: 'PUT', url, headers: {}, signal, timeoutMs: LIMIT_MS },
      body: { chunks: render(), bytes },
    }),
  )
  return { path, bytes }
}

/** @returns a secret URL that is valid for one file */
async function askWhereTo(
  path: string,
  upload: LogUpload,
  { store, client }: { readonly store: ArtifactStore; readonly client: OutboundClient },
): Promise<string> {
  const { signal } = upload
  const { text } = await repeated(upload, store.url, () =>
    client.call({
      ...{ method: 'POST', url: store.url, signal, timeoutMs: CALL_TIMEOUT_MS },
      headers: { authorization: store.token, 'content-type': 'application/json' },
      body: JSON.stringify({ paths: [path], type: OF_A_JOB }),
    }),
  )
  const url = firstUrl(text)
  if (url !== undefined) return url
  throw new Error(`${store.url} returned no URL to upload to`)
}

/** The control plane's category for artifacts of a job; workflows and projects have others. */
const OF_A_JOB = 1

function firstUrl(text: string): string | undefined {
  try {
    const url: unknown = JSON.parse(text).urls[0].url
    return typeof url === 'string' && /^https?:$/.test(URL.parse(url)?.protocol ?? '')
      ? url
      : undefined
  } catch {
    return undefined
  }
}

class LaterError extends Error {}

/** @throws {Error} for an answer that is not 2xx, and when there was none, in the last try */
async function repeated(
  { delaysMs = DELAYS_MS, signal }: LogUpload,
  server: string,
  call: () => Promise<TextResponse>,
): Promise<TextResponse> {
  return await retry(
    async () => {
      const answer = await call().catch((cause: unknown) => {
        throw new LaterError(`${server}: ${messageOf(cause)}`, { cause })
      })
      if (answer.status >= 200 && answer.status < 300) return answer
      const Failure = answer.status >= 500 ? LaterError : Error
      throw new Failure(`${server} answered ${answer.status}`)
    },
    { delaysMs, signal, isRetryable: (error) => error instanceof LaterError },
  )
}

function gzip(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const compressed = createGzip()
  pipeline(Readable.from(source), compressed, () => undefined) // its reader gets the failure
  return compressed
}

async function measure(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0
  for await (const chunk of chunks) bytes += chunk.length
  return bytes
}
