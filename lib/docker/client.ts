/**
 * The Docker Engine API over its Unix socket: calls, streams, and connections taken over whole.
 * The only file that knows undici; what the calls are is in the files beside this one.
 *
 * @module
 */

import type { Duplex, Readable } from 'node:stream'
import { Client, type Dispatcher, Pool } from 'undici'
import { onAbort } from '../async/abort.ts'
import { DockerRefusedError, type DockerUnreachableError } from '../errors.ts'
import { type EngineVersion, negotiateVersion } from './api-version.ts'
import { halfAnswered, refusal, unreachable, wasCutOff } from './failures.ts'

type QueryValue = boolean | number | string

export interface Call {
  /** Completes the sentence "Docker refused to …". No secrets. */
  readonly action: string
  readonly method: 'DELETE' | 'GET' | 'HEAD' | 'POST' | 'PUT'
  /** From the first slash after the version; names in it go through {@link segment}. */
  readonly path: string
  readonly query?: Readonly<Record<string, QueryValue>>
  readonly json?: unknown
  /**
   * A tar. Pieces of 64 KiB and more need to be good only until the next one is asked for: undici
   * waits until so much has left.
   */
  readonly body?: AsyncIterable<Uint8Array>
  readonly headers?: Readonly<Record<string, string>>
  /** Statuses that mean the work is done; 304 and 404 belong here where a repeat is harmless. */
  readonly ok: readonly number[]
  /** For a refusal the user can do something about: what. */
  readonly hints?: Readonly<Record<number, string>>
  readonly signal?: AbortSignal | undefined
  /** To the first byte of the answer. Default 30,000. */
  readonly timeoutMs?: number
  /** Between two bytes of the answer. Default 30,000; 0 = for ever. */
  readonly stallMs?: number
}

export interface Reply<T> {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Absent when the answer has no body, or is one of the `ok` statuses that mean "not there". */
  readonly value: T | undefined
}

/** What matters of a call when its answer does not come. */
type Waiting = { readonly method: string } & Pick<Call, 'signal' | 'timeoutMs'>

/** An engine that is alive answers in milliseconds, on a busy disk in seconds. */
const TIMEOUT_MS = 30_000

/** Asked once, and by everything else waited for. */
const VERSION_TIMEOUT_MS = 10_000

export class DockerClient {
  readonly socketPath: string
  readonly #pool: Pool
  #version: Promise<string> | undefined

  /** Connects when first used, not now. */
  constructor(socketPath: string) {
    this.socketPath = socketPath
    this.#pool = new Pool('http://docker', { socketPath })
  }

  /**
   * One call with a JSON answer, or none. One that only reads is made again, once, when the
   * connection was cut: that may have been kept from an earlier call, and be the end of it.
   *
   * @throws {DockerRefusedError} for a status that is not among `ok`
   * @throws {DockerUnreachableError} when there is no answer, or only half of one
   * @throws the signal's reason when it was aborted
   */
  async call<T = undefined>(call: Call): Promise<Reply<T>> {
    try {
      return await this.#exchange<T>(call)
    } catch (error) {
      if (call.method !== 'GET' || !wasCutOff(error)) throw error
      return await this.#exchange<T>(call)
    }
  }

  /**
   * One call whose answer is used while it comes. Leaving the loop ends the call.
   *
   * @throws as {@link call}, at once and while iterating
   */
  async stream(call: Call): Promise<AsyncGenerator<Uint8Array, void>> {
    const { body } = await this.#request(call)
    return this.#read(body, call)
  }

  /**
   * One call after which the connection is no longer HTTP but a plain stream both ways.
   *
   * @throws as {@link call}; the stream itself ends or fails as streams do
   */
  async upgrade(call: Call): Promise<Duplex> {
    // One client per connection: it belongs to whoever gets the stream.
    const client = new Client('http://docker', { socketPath: this.socketPath })
    try {
      const options = await this.#options(call)
      return await this.#guard(call, () => dispatchUpgrade(client, options, call))
    } finally {
      // Frees nothing that was handed out: an upgraded socket is no longer the client's.
      await client.close()
    }
  }

  /** Ends what is still under way. */
  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  async #exchange<T>(call: Call): Promise<Reply<T>> {
    const { statusCode: status, headers, body } = await this.#request(call)
    const text = await this.#guard(call, () => body.text())
    const value = text !== '' && isSuccess(status) ? this.#parse<T>(text) : undefined
    return { status, headers, value }
  }

  async #request(call: Call): Promise<Dispatcher.ResponseData> {
    const options = await this.#options(call)
    const answer = await this.#guard(call, () => this.#pool.request(options))
    if (call.ok.includes(answer.statusCode)) return answer
    const text = await this.#guard(call, () => answer.body.text())
    throw refusal(call, answer.statusCode, text)
  }

  async #options(call: Call): Promise<Dispatcher.RequestOptions> {
    const { method, path, query = {}, json, body, headers = {}, signal } = call
    this.#version ??= this.#negotiate()
    const version = await this.#version
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) search.set(name, String(value))
    const type = json === undefined ? {} : { 'content-type': 'application/json' }
    return {
      method,
      path: `/v${version}${path}${search.size === 0 ? '' : `?${search}`}`,
      headers: { ...type, ...headers },
      // Its types know only streams; it takes everything that can be iterated.
      body: json === undefined ? ((body ?? null) as Readable | null) : JSON.stringify(json),
      signal: signal ?? null,
      headersTimeout: call.timeoutMs ?? TIMEOUT_MS,
      bodyTimeout: call.stallMs ?? TIMEOUT_MS,
    }
  }

  async #negotiate(): Promise<string> {
    try {
      const call = { action: 'report its version', method: 'GET', timeoutMs: VERSION_TIMEOUT_MS }
      const answer = await this.#guard(call, () =>
        this.#pool.request({
          method: 'GET',
          path: '/version',
          headersTimeout: VERSION_TIMEOUT_MS,
          bodyTimeout: VERSION_TIMEOUT_MS,
        }),
      )
      const text = await this.#guard(call, () => answer.body.text())
      if (answer.statusCode !== 200) throw refusal(call, answer.statusCode, text)
      return negotiateVersion(this.socketPath, this.#parse<EngineVersion>(text))
    } catch (error) {
      this.#version = undefined // an engine that starts late is asked again
      throw error
    }
  }

  async *#read(body: Dispatcher.ResponseData['body'], call: Call) {
    try {
      for await (const chunk of body) yield chunk as Uint8Array
    } catch (cause) {
      call.signal?.throwIfAborted()
      throw this.#unanswered(cause, call)
    }
  }

  /** The caller's own abort is not the engine's silence. */
  async #guard<T>(call: Waiting, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      call.signal?.throwIfAborted()
      if (cause instanceof DockerRefusedError) throw cause
      throw this.#unanswered(cause, call)
    }
  }

  #unanswered(cause: unknown, { method, timeoutMs = TIMEOUT_MS }: Waiting): DockerUnreachableError {
    return unreachable(this.socketPath, cause, { method, timeoutMs })
  }

  #parse<T>(text: string): T {
    try {
      return JSON.parse(text) as T
    } catch (cause) {
      throw halfAnswered(this.socketPath, cause)
    }
  }
}

/** A name or id as one part of a path. */
export function segment(text: string): string {
  return encodeURIComponent(text)
}

/** undici's own `upgrade` drops the reason of a refusal. */
function dispatchUpgrade(
  client: Client,
  options: Dispatcher.RequestOptions,
  call: Call,
): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
  const { signal } = call
  let status = 0
  let text = ''
  let listening: Disposable | undefined
  client.dispatch(
    { ...options, upgrade: 'tcp' },
    {
      onRequestStart: (controller) => {
        const stop = () => controller.abort(new Error('aborted by the caller'))
        if (signal !== undefined) listening = onAbort(signal, stop)
      },
      onRequestUpgrade: (_controller, _status, _headers, socket) => {
        listening?.[Symbol.dispose]()
        socket.on('error', () => undefined) // until its owner listens; 'close' follows in any case
        resolve(socket)
      },
      onResponseStart: (_controller, statusCode) => {
        status = statusCode
      },
      onResponseData: (_controller, chunk) => {
        text += chunk.toString()
      },
      onResponseEnd: () => {
        listening?.[Symbol.dispose]()
        reject(refusal(call, status, text))
      },
      onResponseError: (_controller, error) => {
        listening?.[Symbol.dispose]()
        reject(error)
      },
    },
  )
  return promise
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300
}
