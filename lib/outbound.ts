/**
 * Calls of other people's servers: with a time limit, through their proxy, without redirects.
 *
 * @module
 */

import { Readable } from 'node:stream'
import { type Dispatcher, EnvHttpProxyAgent, request } from 'undici'
import { Deadline } from './async/abort.ts'
import { trustedAuthorities } from './trust.ts'
import { VERSION } from './version.ts'

export interface Post {
  readonly url: string
  readonly body: unknown
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string | undefined
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface TextPost {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** One call of many to the same server. */
export interface Call extends Omit<TextPost, 'body'> {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly body?: string | Uint8Array | StreamedBody
  /** Of the answer, which is an error beyond that. Default 64 KiB. */
  readonly maxAnswerBytes?: number
}

/** Too large to be held: made while it is sent. For one call. */
export interface StreamedBody {
  readonly chunks: AsyncIterable<Uint8Array>
  /** Of all chunks together; others are not sent. */
  readonly bytes: number
}

/** Keeps its connections between calls; any number of calls at a time. */
export interface OutboundClient {
  /**
   * As {@link postText}. A failed call is not repeated: the server may have acted on it.
   *
   * @throws {Error} when there was no answer, or not a whole one
   */
  call(call: Call): Promise<TextResponse>
  /** Ends the calls that are under way, too. */
  close(): Promise<void>
}

export interface TextResponse {
  readonly status: number
  /** The server's clock, as its `Date` header tells it; empty when it does not. */
  readonly date: string
  readonly text: string
}

/** A server that answers with more than this has nothing to say that is wanted here. */
const MAX_ANSWER_BYTES = 64 * 1024

/**
 * Agents call every few seconds, and common servers keep a silent connection for a minute. Over
 * HTTP/2 the calls of all agents of a process would share one connection, and its end.
 */
const KEEP_ALIVE = { keepAliveTimeout: 30_000, allowH2: false }

/**
 * Sends one JSON document. `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` are honoured, and whom this
 * host trusts is trusted.
 *
 * @returns the status of the answer; a redirect is an answer, and is not followed
 * @throws {Error} when there was none: no connection, a broken one, or the time is over
 */
export async function postJson({ body, token, ...rest }: Post): Promise<number> {
  const headers = {
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
  return await send({ ...rest, headers, body: JSON.stringify(body) }, async (answer) => {
    // The status has decided; a body that breaks off or is too long changes nothing.
    await answer.body.dump({ limit: MAX_ANSWER_BYTES }).catch(() => undefined)
    return answer.statusCode
  })
}

/**
 * As {@link postJson}, for those who need what the server says.
 *
 * @throws {Error} also for an answer that breaks off, or is longer than 64 KiB
 */
export async function postText(post: TextPost): Promise<TextResponse> {
  return await send(post, (answer) => readText(answer, MAX_ANSWER_BYTES))
}

/** For the control plane: with the name that it knows agents by. */
export function createOutboundClient(): OutboundClient {
  const dispatchers = new Map<string, Dispatcher>()
  const dispatcherFor = (url: string) => {
    const { protocol } = new URL(url)
    const dispatcher = dispatchers.get(protocol) ?? createDispatcher(url, KEEP_ALIVE)
    dispatchers.set(protocol, dispatcher)
    return dispatcher
  }
  return {
    call: async ({ maxAnswerBytes = MAX_ANSWER_BYTES, headers, body = '', ...rest }) =>
      await dispatch(
        { ...rest, body, headers: { 'user-agent': `SemaphoreAgent/v${VERSION}`, ...headers } },
        { dispatcher: dispatcherFor(rest.url), read: (answer) => readText(answer, maxAnswerBytes) },
      ),
    close: async () => {
      await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.destroy()))
    },
  }
}

async function readText(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  maxBytes: number,
): Promise<TextResponse> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > maxBytes) throw new Error(`the answer is longer than ${maxBytes / 1024} KiB`)
  }
  const text = Buffer.concat(chunks).toString()
  return { status: statusCode, date: String(headers['date'] ?? ''), text }
}

async function send<T>(
  { headers, ...rest }: TextPost,
  read: (answer: Dispatcher.ResponseData) => Promise<T>,
): Promise<T> {
  const dispatcher = createDispatcher(rest.url)
  const call = { method: 'POST', ...rest } as const
  try {
    return await dispatch(
      { ...call, headers: { 'user-agent': `SemaphoreAgent/${VERSION}`, ...headers } },
      { dispatcher, read },
    )
  } finally {
    await dispatcher.destroy()
  }
}

interface Dispatch<T> {
  readonly dispatcher: Dispatcher
  readonly read: (answer: Dispatcher.ResponseData) => Promise<T>
}

async function dispatch<T>(
  { url, timeoutMs, signal, method, headers, body = '' }: Call,
  { dispatcher, read }: Dispatch<T>,
): Promise<T> {
  using deadline = new Deadline(timeoutMs, ...(signal === undefined ? [] : [signal]))
  const options = { method, dispatcher, signal: deadline.signal, ...toPayload(headers, body) }
  return await read(await request(url, options))
}

function toPayload(headers: Call['headers'], body: NonNullable<Call['body']>) {
  if (typeof body === 'string' || body instanceof Uint8Array) return { headers, body }
  const length = String(body.bytes)
  return { headers: { ...headers, 'content-length': length }, body: Readable.from(body.chunks) }
}

function createDispatcher(url: string, options: EnvHttpProxyAgent.Options = {}): Dispatcher {
  const trust = url.startsWith('https:') ? trustOfThisHost() : {}
  return new EnvHttpProxyAgent({ ...options, ...trust })
}

function trustOfThisHost(): EnvHttpProxyAgent.Options {
  const ca = trustedAuthorities()
  return { connect: { ca }, requestTls: { ca }, proxyTls: { ca } }
}
