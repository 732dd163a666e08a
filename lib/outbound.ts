/**
 * POSTs to other people's servers: with a time limit, through their proxy, without redirects.
 *
 * @module
 */

import { getCACertificates } from 'node:tls'
import { EnvHttpProxyAgent, request } from 'undici'
import { VERSION } from './version.ts'

export interface Post {
  readonly url: string
  readonly body: unknown
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string | undefined
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
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
export async function postJson({ url, body, token, timeoutMs, signal }: Post): Promise<number> {
  const dispatcher = new EnvHttpProxyAgent(url.startsWith('https:') ? trustOfThisHost() : {})
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const answer = await request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': `SemaphoreAgent/${VERSION}`,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
      dispatcher,
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    })
    // The status has decided; a body that breaks off or is too long changes nothing.
    await answer.body.dump({ limit: MAX_ANSWER_BYTES }).catch(() => undefined)
    return answer.statusCode
  } finally {
    await dispatcher.destroy()
  }
}

/** Node knows public authorities only; a company's own one stands in its hosts' store. */
function trustOfThisHost(): EnvHttpProxyAgent.Options {
  const ca = [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
  return { connect: { ca }, requestTls: { ca }, proxyTls: { ca } }
}
