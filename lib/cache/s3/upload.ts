/**
 * One archive into S3, of a length nobody knows beforehand: small ones in one request, the others
 * in parts, of which a few are under way at once.
 *
 * The SDK's own `lib-storage` is not used: its abort answers before its requests have ended, and
 * after one part has failed it goes on to send all the others.
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { Deadline, LinkedAbort, onAbort } from '../../async/abort.ts'
import { inBlocks } from '../blocks.ts'
import { isS3Error } from './error.ts'

/** S3 takes 10,000 parts of at least 5 MiB: this makes room for 80 GB in one archive. */
const PART_BYTES = 8 * 1_048_576

/** With the one being filled, what an upload holds in memory: 40 MiB. */
const PARTS_AT_ONCE = 4

/** Parts of an upload that was killed are seen by nobody, but paid for. */
const ABANDONED_MS = 24 * 3_600_000

const ABORT_LIMIT_MS = 30_000

/** For the answer to a request that was sent before the job was stopped. */
const GRACE_MS = 3_000

/** Tells our own object from another's, when the answer to the last request got lost. */
const UPLOAD_ID = 'agent-upload'

const NOTHING = Buffer.alloc(0)

export interface S3Target {
  readonly Bucket: string
  readonly Key: string
}

interface PartSource {
  readonly parts: AsyncGenerator<Buffer, void>
  /** Buffers of parts that were sent, to be filled again: left to the collector, they pile up. */
  readonly free: Buffer[]
}

interface S3Upload extends S3Target {
  readonly UploadId: string | undefined
}

/** One request; what only the last one has is not to replace an object. */
type Finish = (condition: { IfNoneMatch?: string }) => Promise<unknown>

/** @returns bytes stored; undefined when the key is there already. Errors are the SDK's or the archive's. */
export async function uploadArchive(
  client: S3Client,
  target: S3Target,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<number | undefined> {
  const free: Buffer[] = []
  const parts = inBlocks(archive, PART_BYTES, free)
  try {
    const head = await take(parts, 2)
    if (head.length < 2) return await uploadWhole(client, target, head[0] ?? NOTHING, signal)
    await removeAbandoned(client, target, signal)
    return await uploadParts(client, target, { parts: chain(head, parts), free }, signal)
  } finally {
    await parts.return()
  }
}

async function uploadWhole(
  client: S3Client,
  target: S3Target,
  Body: Buffer,
  abortSignal: AbortSignal,
): Promise<number | undefined> {
  const id = randomUUID()
  const object = { ...target, Metadata: { [UPLOAD_ID]: id }, Body }
  const put: Finish = (condition) =>
    client.send(new PutObjectCommand({ ...object, ...condition }), { abortSignal })
  return (await finish(client, { target, id }, put, abortSignal)) ? Body.length : undefined
}

async function uploadParts(
  client: S3Client,
  target: S3Target,
  source: PartSource,
  abortSignal: AbortSignal,
): Promise<number | undefined> {
  const id = randomUUID()
  const create = new CreateMultipartUploadCommand({ ...target, Metadata: { [UPLOAD_ID]: id } })
  // An upload whose id was not waited for could not be removed.
  using grace = graceAfter(abortSignal)
  const { UploadId } = await client.send(create, { abortSignal: grace.signal })
  const upload = { ...target, UploadId }
  let isOurs = false
  try {
    const { bytes, completed } = await sendParts(client, upload, source, abortSignal)
    const whole = { ...upload, MultipartUpload: { Parts: completed } }
    const complete: Finish = (condition) =>
      client.send(new CompleteMultipartUploadCommand({ ...whole, ...condition }), { abortSignal })
    isOurs = await finish(client, { target, id }, complete, abortSignal)
    return isOurs ? bytes : undefined
  } finally {
    if (!isOurs) await abort(client, upload)
  }
}

/** Aborts a little later than the other. */
function graceAfter(signal: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const late = new AbortController()
  const end = () => setTimeout(() => late.abort(signal.reason), GRACE_MS).unref()
  return { signal: late.signal, ...onAbort(signal, end) }
}

/** A part that fails ends the others too. */
async function sendParts(
  client: S3Client,
  upload: S3Upload,
  { parts, free }: PartSource,
  signal: AbortSignal,
): Promise<{ bytes: number; completed: CompletedPart[] }> {
  const completed: CompletedPart[] = []
  using failed = new LinkedAbort(signal)
  const { signal: abortSignal } = failed
  let bytes = 0
  let count = 0
  const worker = async () => {
    for (let it = await parts.next(); !it.done; it = await parts.next()) {
      abortSignal.throwIfAborted()
      const PartNumber = ++count
      bytes += it.value.length
      const command = new UploadPartCommand({ ...upload, PartNumber, Body: it.value })
      const { ETag } = await client.send(command, { abortSignal })
      completed.push({ PartNumber, ETag })
      if (it.value.length === PART_BYTES) free.push(it.value)
    }
  }
  const workers = Array.from({ length: PARTS_AT_ONCE }, () =>
    worker().catch((error: unknown) => failed.abort(error)),
  )
  await Promise.all(workers)
  abortSignal.throwIfAborted()
  completed.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0))
  return { bytes, completed }
}

/** @returns whether the object is ours now */
async function finish(
  client: S3Client,
  { target, id }: { readonly target: S3Target; readonly id: string },
  send: Finish,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await send({ IfNoneMatch: '*' }).catch(async (error: unknown) => {
      // Some servers refuse conditions. That the key was not there has been looked up before.
      if (!isS3Error(error, 'NotImplemented')) throw error
      await send({})
    })
    return true
  } catch (error) {
    if (!isS3Error(error, 'PreconditionFailed', 'NoSuchUpload')) throw error
    // It is there: another's, or our own, when the answer got lost and the request was repeated.
    const head = new HeadObjectCommand(target)
    const { Metadata } = await client.send(head, { abortSignal: signal }).catch(() => {
      throw error
    })
    return Metadata?.[UPLOAD_ID] === id
  }
}

async function take(parts: AsyncGenerator<Buffer, void>, count: number): Promise<Buffer[]> {
  const taken: Buffer[] = []
  while (taken.length < count) {
    const { done, value } = await parts.next()
    if (done) break
    taken.push(value)
  }
  return taken
}

/** Lets go of each as it is handed on. */
async function* chain(
  head: Buffer[],
  parts: AsyncGenerator<Buffer, void>,
): AsyncGenerator<Buffer, void> {
  for (let part = head.shift(); part !== undefined; part = head.shift()) yield part
  yield* parts
}

/** The job may be over, this still has to be said. What remains, a later store removes. */
async function abort(client: S3Client, upload: S3Upload): Promise<void> {
  using deadline = new Deadline(ABORT_LIMIT_MS)
  const command = new AbortMultipartUploadCommand(upload)
  await client.send(command, { abortSignal: deadline.signal }).catch(() => undefined)
}

/** Needs a permission that an upload does not, and is nothing an upload could fail for. */
async function removeAbandoned(
  client: S3Client,
  { Bucket, Key }: S3Target,
  signal: AbortSignal,
): Promise<void> {
  const Prefix = Key.slice(0, Key.lastIndexOf('/') + 1)
  const { Uploads = [] } = await client
    .send(new ListMultipartUploadsCommand({ Bucket, Prefix }), { abortSignal: signal })
    .catch(() => ({ Uploads: [] }))
  for (const { Key: key = '', UploadId, Initiated } of Uploads) {
    if (Initiated !== undefined && Date.now() - Initiated.getTime() > ABANDONED_MS) {
      await abort(client, { Bucket, Key: key, UploadId })
    }
  }
}
