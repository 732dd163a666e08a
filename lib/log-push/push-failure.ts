/**
 * Why a batch did not arrive, and what that means for the next try.
 *
 * @module
 */

import { explain } from '../errors.ts'
import type { TextResponse } from '../outbound.ts'

/** A broken connection: the batch may have been too much for the other side. */
const BROKEN = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/

const REMEDIES: Readonly<Record<number, string>> = {
  400: 'The agent and the control plane speak different versions of the protocol: update the older one.',
  401: 'The control plane refuses its own tokens: check that the clocks of its servers agree.',
  404: 'The control plane no longer knows this job, or its log server is restarting.',
  413: 'Allow requests of 1 MB in the proxy or load balancer in front of the control plane.',
  429: 'The control plane gets too many calls; it may have more agents than it can serve.',
}

export class PushFailure extends Error {
  /** Each kind is logged once. */
  readonly kind: string
  /** A smaller batch may succeed. */
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
      ? 'The control plane is overloaded or restarting: check its own log if this persists.'
      : 'Check what answers at that address: it may be a proxy.')
  return new PushFailure(`it answers ${status}. ${remedy}`, {
    kind: `status ${status}`,
    ...(status === 503 && { halving: true as const }),
  })
}

export function failureOfSize(bytes: number): PushFailure {
  const reason = `it accepts no request of ${bytes} bytes; smaller ones follow`
  return new PushFailure(`${reason}. ${REMEDIES[413]}`, { kind: 'status 413' })
}

/** A single line that is too long for the server: retrying cannot help. */
export function failureOfLongLine(bytes: number): PushFailure {
  return new PushFailure(`it accepts no line of ${bytes} bytes. ${REMEDIES[413]}`, {
    kind: 'long line',
    final: true,
  })
}

export function failureOfConnection(error: unknown): PushFailure {
  const { code = '', name = '' } = error as NodeJS.ErrnoException
  const remedy = CERTIFICATE.test(code)
    ? 'Set NODE_EXTRA_CA_CERTS or SSL_CERT_FILE to a file with its authority.'
    : 'Check whether this host can reach it, and through which proxy (HTTPS_PROXY, NO_PROXY).'
  return new PushFailure(`${explain(error)}. ${remedy}`, {
    kind: `connection ${code || name}`,
    ...((BROKEN.includes(code) || name === 'TimeoutError') && { halving: true as const }),
  })
}

export function failureOfRefresh(error: unknown): PushFailure {
  return new PushFailure(`no new token could be obtained: ${explain(error)}`, { kind: 'refresh' })
}
