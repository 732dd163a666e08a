/**
 * Why a batch did not arrive, and what that means for the next try.
 *
 * @module
 */

import { explain } from '../errors.ts'
import type { TextResponse } from '../outbound.ts'

/** A connection that broke: the batch may have been too much for whoever broke it. */
const BROKEN = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/

const REMEDIES: Readonly<Record<number, string>> = {
  400: 'The agent and the control plane do not understand each other: update the older of them.',
  401: 'The control plane refuses its own tokens: see whether the clocks of its servers agree.',
  404: 'The control plane does not know this job any more, or its log server is being restarted.',
  413: 'Allow requests of 1 MB in the proxy or the load balancer before the control plane.',
  429: 'The control plane is called too often; there may be more agents than it was made for.',
}

export class PushFailure extends Error {
  /** Each is logged once. */
  readonly kind: string
  /** A smaller batch may pass. */
  readonly isHalving: boolean
  /** The next try may succeed. */
  readonly isPassing: boolean

  constructor(reason: string, options: { kind: string; halving?: true; final?: true }) {
    super(reason)
    this.name = new.target.name
    this.kind = options.kind
    this.isHalving = options.halving === true
    this.isPassing = options.final !== true
  }
}

export function failureOfAnswer({ status }: TextResponse): PushFailure {
  const remedy =
    REMEDIES[status] ??
    (status >= 500
      ? 'The control plane is overloaded or being restarted: see its own log if it lasts.'
      : 'See what answers at that address: it may be a proxy.')
  return new PushFailure(`it answers ${status}. ${remedy}`, {
    kind: `status ${status}`,
    ...(status === 503 && { halving: true as const }),
  })
}

export function failureOfSize(bytes: number): PushFailure {
  const reason = `it takes no request of ${bytes} bytes; smaller ones follow`
  return new PushFailure(`${reason}. ${REMEDIES[413]}`, { kind: 'status 413' })
}

/** A single line that is more than the server takes: no later try is better. */
export function failureOfLongLine(bytes: number): PushFailure {
  return new PushFailure(`it takes no line of ${bytes} bytes. ${REMEDIES[413]}`, {
    kind: 'long line',
    final: true,
  })
}

export function failureOfConnection(error: unknown): PushFailure {
  const { code = '', name = '' } = error as NodeJS.ErrnoException
  const remedy = CERTIFICATE.test(code)
    ? 'Name its authority in NODE_EXTRA_CA_CERTS or SSL_CERT_FILE.'
    : 'See whether this host reaches it, and by which proxy (HTTPS_PROXY, NO_PROXY).'
  return new PushFailure(`${explain(error)}. ${remedy}`, {
    kind: `connection ${code || name}`,
    ...((BROKEN.includes(code) || name === 'TimeoutError') && { halving: true as const }),
  })
}

export function failureOfRefresh(error: unknown): PushFailure {
  return new PushFailure(`there is no other token for it: ${explain(error)}`, { kind: 'refresh' })
}
