/**
 * POSTs to other people's servers: with a time limit, through their proxy, without redirects.
 *
 * @module
 */

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

export interface TextAnswer {
  readonly status: number
  /** The server's clock, as its `Date` header tells it; empty when it does not. */
  readonly date: string
  readonly text: string
}

/** A server that answers with more than this has nothing to say that is wanted here. */
const MAX_ANSWER_BYTES = 64 * 1024

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
export async function postText(post: TextPost): Promise<TextAnswer> {
  return await send(post, async ({ statusCode, headers, body }) => {
    let bytes = Buffer.alloc(0)
    for await (const chunk of body) {
      bytes = Buffer.concat([bytes, chunk as Uint8Array])
      if (bytes.length > MAX_ANSWER_BYTES) throw new Error('the answer is longer than 64 KiB')
    }
    return { status: statusCode, date: String(headers['date'] ?? ''), text: bytes.toString() }
  })
}

async function send<T>(
  { url, headers, body, timeoutMs, signal }: TextPost,
  read: (answer: Dispatcher.ResponseData) => Promise<T>,
): Promise<T> {
  const dispatcher = new EnvHttpProxyAgent(url.startsWith('https:') ? trustOfThisHost() : {})
  using deadline = new Deadline(timeoutMs, ...(signal === undefined ? [] : [signal]))
  try {
    const answer = await request(url, {
      method: 'POST',
      headers: { 'user-agent': `SemaphoreAgent/${VERSION}`, ...headers },
      body,
      dispatcher,
      signal: deadline.signal,
    })
    return await read(answer)
  } finally {
    await dispatcher.destroy()
  }
}

function trustOfThisHost(): EnvHttpProxyAgent.Options {
  const ca = trustedAuthorities()
  return { connect: { ca }, requestTls: { ca }, proxyTls: { ca } }
}
