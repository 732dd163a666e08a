/**
 * Answers whose body comes piece by piece, at the pace of the client.
 *
 * @module
 */

import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { explain } from '../errors.ts'
import type { Logger } from '../log.ts'
import { acceptsGzip, gzipStream, gzipWhole } from './gzip.ts'

/** The connection behind a request; absent where a test calls the app directly. */
export interface ServerEnv {
  Bindings: Partial<HttpBindings> & {
    /** A valid token came over the connection. */
    readonly trust?: () => void
  }
}

export type ServerContext = Context<ServerEnv>

export interface StreamResponse {
  readonly chunks: AsyncIterable<Uint8Array>
  readonly contentType: string
  /** The next chunk may be long in coming: headers are sent at once, every chunk by itself. */
  readonly isLive: boolean
  readonly log: Logger
}

/** Packing less than this costs more than it saves. */
const MIN_GZIP_BYTES = 1_024

/** @throws what the first chunk throws, so that it can still become an error with a status */
export async function streamResponse(c: ServerContext, answer: StreamResponse): Promise<Response> {
  const headers: Record<string, string> = {
    'content-type': answer.contentType,
    'cache-control': 'no-store',
    vary: 'Accept, Accept-Encoding',
  }
  if (c.req.method === 'HEAD') return new Response(null, { headers })
  const gzips = acceptsGzip(c.req.header('accept-encoding'))
  if (answer.isLive) return stream(c, answer.chunks, { ...answer, headers, gzips })

  const iterator = answer.chunks[Symbol.asyncIterator]()
  const first = await iterator.next()
  const second = first.done ? first : await iterator.next()
  if (second.done) return await wholeAnswer(first.value ?? new Uint8Array(), headers, gzips)
  const chunks = resume([first, second], iterator)
  return stream(c, chunks, { ...answer, headers, gzips })
}

/** Most polls get little: one piece with a known length spares them the machinery of streams. */
async function wholeAnswer(
  bytes: Uint8Array,
  headers: Record<string, string>,
  gzips: boolean,
): Promise<Response> {
  if (!gzips || bytes.length < MIN_GZIP_BYTES) {
    return new Response(new Uint8Array(bytes), { headers })
  }
  headers['content-encoding'] = 'gzip'
  return new Response(await gzipWhole(bytes), { headers })
}

interface StreamOptions {
  readonly headers: Record<string, string>
  readonly gzips: boolean
  readonly log: Logger
}

function stream(
  c: ServerContext,
  chunks: AsyncIterable<Uint8Array>,
  { headers, gzips, log }: StreamOptions,
): Response {
  if (gzips) headers['content-encoding'] = 'gzip'
  const encoded = gzips ? gzipStream(chunks) : chunks
  return new Response(ReadableStream.from(breakOnError(c, encoded, log)), { headers })
}

/** What has begun cannot become a 500: breaking the connection tells the client of the gap. */
async function* breakOnError(
  c: ServerContext,
  chunks: AsyncIterable<Uint8Array>,
  log: Logger,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* chunks
  } catch (error) {
    log.error(`A response was cut off: ${explain(error)}`)
    const connection = c.env?.outgoing
    if (connection === undefined) throw error
    connection.destroy()
  }
}

async function* resume<T>(
  steps: readonly IteratorResult<T, unknown>[],
  iterator: AsyncIterator<T>,
): AsyncGenerator<T, void, undefined> {
  try {
    for (const step of steps) if (!step.done) yield step.value
    for (let step = await iterator.next(); !step.done; step = await iterator.next()) {
      yield step.value
    }
  } finally {
    await iterator.return?.()
  }
}

/**
 * Calls back once the whole answer has left for the client: not when the client went away before.
 * What still lies in the buffers of the two kernels counts as sent; nobody can know better.
 */
export function whenSent(c: ServerContext, callback: () => void): void {
  const { incoming, outgoing } = c.env ?? {}
  const socket = incoming?.socket
  outgoing?.once('finish', () => {
    if (socket?.destroyed !== true) callback()
  })
}
