/**
 * The cache in a bucket of S3 or of a server that speaks its protocol: `<project>/<key>`.
 *
 * @module
 */

import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  ListObjectsV2Command,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { CacheStore, StoredKey, Usage } from '../store.ts'
import { WatchedArchive } from '../watched-archive.ts'
import { createS3Client } from './client.ts'
import { isS3Error, toCacheError } from './error.ts'
import type { S3Settings } from './settings.ts'
import { uploadArchive } from './upload.ts'

const DELETIONS_AT_ONCE = 8

/** In a row, without a byte in between; each is one of the SDK's own attempts. */
const MAX_CUTS = 5

const CUT_PAUSE_MS = 200

/** Six of them, as often as the SDK asks, are what a silent server costs a job at most. */
const ANSWER_TIMEOUT_MS = 30_000

export class S3Store implements CacheStore {
  readonly #settings: S3Settings
  readonly #client: S3Client
  readonly #prefix: string

  constructor(settings: S3Settings) {
    this.#settings = settings
    this.#client = createS3Client(settings)
    this.#prefix = `${settings.project}/`
  }

  async list(signal: AbortSignal): Promise<readonly StoredKey[]> {
    return await this.#guard(signal, async () => {
      const keys: StoredKey[] = []
      const query = { Bucket: this.#settings.bucket, Prefix: this.#prefix }
      const client = this.#client
      for await (const { Contents = [] } of paginateListObjectsV2(
        { client },
        query,
        this.#within(signal),
      )) {
        for (const { Key = '', Size: bytes = 0, LastModified } of Contents) {
          const storedAt = LastModified?.getTime() ?? 0
          keys.push({ key: Key.slice(this.#prefix.length), bytes, storedAt })
        }
      }
      return keys.sort((a, b) => b.storedAt - a.storedAt)
    })
  }

  /** By a listing: the answer to HEAD has no body, and so no word on what is wrong with a bucket. */
  async has(key: string, signal: AbortSignal): Promise<boolean> {
    const { Bucket, Key } = this.#target(key)
    const command = new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 })
    const { Contents = [] } = await this.#guard(signal, () =>
      this.#client.send(command, this.#within(signal)),
    )
    return Contents[0]?.Key === Key // in the order of their bytes, it is the first of its prefix
  }

  async store(
    key: string,
    archive: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const watched = new WatchedArchive(archive)
    try {
      return await uploadArchive(this.#client, this.#target(key), watched, signal)
    } catch (error) {
      signal.throwIfAborted()
      throw watched.unwrapSourceError(() => toCacheError(error, this.#settings))
    }
  }

  async open(key: string, signal: AbortSignal) {
    return await this.#guard(signal, async () => {
      const answer = await this.#get(key, {}, signal).catch((error: unknown) => {
        if (isS3Error(error, 'NoSuchKey')) return undefined
        throw error
      })
      if (answer === undefined) return undefined
      const bytes = answer.ContentLength ?? 0
      return { bytes, archive: this.#read(key, answer, signal) }
    })
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    const command = new DeleteObjectCommand(this.#target(key))
    await this.#guard(signal, () => this.#client.send(command, this.#within(signal)))
  }

  /** One by one: the request for many at once needs a checksum that servers disagree about. */
  async clear(signal: AbortSignal): Promise<void> {
    const keys = (await this.list(signal)).map(({ key }) => key)
    const worker = async () => {
      for (let key = keys.pop(); key !== undefined; key = keys.pop()) await this.delete(key, signal)
    }
    await Promise.all(Array.from({ length: DELETIONS_AT_ONCE }, worker))
  }

  async usage(signal: AbortSignal): Promise<Usage> {
    const keys = await this.list(signal)
    return { usedBytes: keys.reduce((sum, { bytes }) => sum + bytes, 0) }
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  /** A connection that is cut goes on where it was. */
  async *#read(
    key: string,
    answer: GetObjectCommandOutput,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void> {
    const { ContentLength: bytes = 0, ETag: IfMatch } = answer
    let body = answer.Body as Readable
    let at = 0
    for (let cuts = 0; ; ) {
      try {
        for await (const chunk of body as AsyncIterable<Uint8Array>) {
          at += chunk.length
          cuts = 0
          yield chunk
        }
        if (at >= bytes) return
        throw new Error(`the connection was cut after ${at} of ${bytes} bytes`)
      } catch (error) {
        signal.throwIfAborted()
        if (++cuts > MAX_CUTS) throw toCacheError(error, this.#settings)
      } finally {
        body.destroy()
      }
      await sleep(CUT_PAUSE_MS * cuts, undefined, { signal })
      const rest = { Range: `bytes=${at}-`, IfMatch }
      const next = await this.#guard(signal, () => this.#get(key, rest, signal))
      body = next.Body as Readable
    }
  }

  async #get(
    key: string,
    options: { readonly Range?: string; readonly IfMatch?: string | undefined },
    signal: AbortSignal,
  ): Promise<GetObjectCommandOutput> {
    const command = new GetObjectCommand({ ...this.#target(key), ...options })
    return await this.#client.send(command, this.#within(signal))
  }

  #within(abortSignal: AbortSignal) {
    return { abortSignal, requestTimeout: this.#settings.answerTimeoutMs ?? ANSWER_TIMEOUT_MS }
  }

  #target(key: string) {
    return { Bucket: this.#settings.bucket, Key: this.#prefix + key }
  }

  async #guard<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      throw toCacheError(error, this.#settings)
    }
  }
}
