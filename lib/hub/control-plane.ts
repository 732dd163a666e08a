/**
 * The calls of a control plane's hub, as an agent makes them.
 *
 * @module
 */

import { ControlPlaneError, messageOf } from '../errors.ts'
import type { OutboundClient, TextResponse } from '../outbound.ts'
import { parseRecord, quote, readText, TRIES_AGAIN } from './answers.ts'
import { parseSyncAnswer, type SyncAnswer, type SyncState } from './state.ts'

/** What the control plane wants to know of an agent. Times in seconds. */
export interface Registration {
  /** A name, or a signed URL that the control plane makes one of. */
  readonly name: string
  readonly version: string
  readonly pid: number
  readonly os: string
  readonly arch: string
  readonly hostname: string
  readonly single_job: boolean
  readonly idle_timeout: number
  readonly interruption_grace_period: number
  readonly job_id: string
}

/** For one call. */
export interface CallLimits {
  readonly signal: AbortSignal
  /** Default 30,000, as the control plane expects. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 30_000

/** Larger than any job request by orders of magnitude. */
const MAX_REQUEST_BYTES = 64 * 1024 * 1024

/** @see https://nodejs.org/api/errors.html and OpenSSL's `X509_V_ERR_…` */
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

const HINTS: Readonly<Record<number, string>> = {
  401: 'If this persists, the agent’s token is no longer valid: stop the agent, remove agents/ in its state directory, and start it again.',
  404: 'The control plane does not know this agent, or the job belongs to another one.',
}

/** Any number of calls at a time, by any number of agents. */
export class ControlPlane {
  readonly #baseUrl: string
  readonly #client: OutboundClient

  /** @param baseUrl up to and with `/api/v1/self_hosted_agents` */
  constructor(baseUrl: string, client: OutboundClient) {
    this.#baseUrl = baseUrl
    this.#client = client
  }

  /**
   * @returns the answer, whatever its status: refusals.ts says what it means
   * @throws {ControlPlaneError} when there was none
   */
  async register(token: string, body: Registration, limits: CallLimits): Promise<TextResponse> {
    return await this.#call({ method: 'POST', path: '/register', token, body, ...limits })
  }

  /** The calls of a registered agent. */
  of(token: string): RegisteredAgent {
    return new RegisteredAgent((call) => this.#call({ ...call, token }))
  }

  async #call({ path, token, body, ...rest }: Call & { token: string }): Promise<TextResponse> {
    const { method, timeoutMs = TIMEOUT_MS } = rest
    const json = body === undefined ? {} : { body: JSON.stringify(body) }
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    try {
      return await this.#client.call({
        ...{ ...rest, ...json, timeoutMs, url: `${this.#baseUrl}${path}` },
        headers: { authorization: `Token ${token}`, ...type },
      })
    } catch (cause) {
      rest.signal.throwIfAborted()
      throw unreachable(`${method} ${this.#baseUrl}${path}`, cause)
    }
  }
}

interface Call extends CallLimits {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: unknown
  readonly maxAnswerBytes?: number
}

/** All methods throw a {@link ControlPlaneError} for any answer but the expected one. */
export class RegisteredAgent {
  readonly #call: (call: Call) => Promise<TextResponse>

  constructor(call: (call: Call) => Promise<TextResponse>) {
    this.#call = call
  }

  async sync(body: SyncState, limits: CallLimits): Promise<SyncAnswer> {
    return parseSyncAnswer(await this.#ask({ method: 'POST', path: '/sync', body, ...limits }))
  }

  /** @returns the job request's text */
  async fetchJob(id: string, limits: CallLimits): Promise<string> {
    const path = `/jobs/${encodeURIComponent(id)}`
    return await this.#ask({ method: 'GET', path, ...limits, maxAnswerBytes: MAX_REQUEST_BYTES })
  }

  /** @returns another token for the log of the agent's job */
  async refreshLogToken(limits: CallLimits): Promise<string> {
    const path = '/refresh'
    const text = await this.#ask({ method: 'POST', path, ...limits })
    const token = readText(parseRecord(path, text), 'token')
    if (token !== '') return token
    throw new ControlPlaneError(`${path} was answered without a token`, { hint: TRIES_AGAIN })
  }

  /** An agent that is no longer known counts as disconnected: the answer to an earlier call was lost. */
  async disconnect(limits: CallLimits): Promise<void> {
    try {
      await this.#ask({ method: 'POST', path: '/disconnect', ...limits })
    } catch (error) {
      if (!(error instanceof ControlPlaneError) || error.status !== 404) throw error
    }
  }

  async #ask(call: Call): Promise<string> {
    const { status, text } = await this.#call(call)
    if (status === 200) return text
    throw new ControlPlaneError(
      `${call.method} ${call.path} was answered with ${quote(status, text)}`,
      {
        status,
        hint: HINTS[status] ?? TRIES_AGAIN,
      },
    )
  }
}

function unreachable(what: string, cause: unknown): ControlPlaneError {
  const code = codeOf(cause)
  const hint = UNTRUSTED.has(code)
    ? 'If its certificate was issued by a private authority, set NODE_EXTRA_CA_CERTS or SSL_CERT_FILE to a file with that authority’s certificate.'
    : 'Check the endpoint, the network and the proxy; the agent tries again.'
  return new ControlPlaneError(`${what} got no answer: ${messageOf(cause)}`, { hint, cause })
}

function codeOf(error: unknown): string {
  const { code, cause } = error as NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException }
  return code ?? cause?.code ?? ''
}
