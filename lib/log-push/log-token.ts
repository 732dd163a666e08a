/**
 * The token that authorizes pushing a job's log, renewed before it expires.
 *
 * @module
 */

import { decodeJwt } from 'jose'

/** Renewed this long before it expires, or a tenth of a short lifetime. */
const MARGIN_SECONDS = 120

/** Time between failed refreshes, while the token is still valid. */
const RETRY_MS = 30_000

export type RefreshToken = (signal: AbortSignal) => Promise<string>

export class LogToken {
  readonly #refresh: RefreshToken
  readonly #onFailure: (error: unknown) => void
  #token: string
  #dueAt: number
  #isRefused: boolean

  /**
   * @param token empty when there is none yet
   * @param onFailure called when a refresh fails while the token is still valid
   */
  constructor(token: string, refresh: RefreshToken, onFailure: (error: unknown) => void) {
    this.#token = token
    this.#isRefused = token === ''
    this.#dueAt = dueAt(token)
    this.#refresh = refresh
    this.#onFailure = onFailure
  }

  /** @throws whatever refreshing throws, when there is no token that may be valid */
  async get(signal: AbortSignal): Promise<string> {
    if (this.#isRefused) await this.#renew(signal)
    if (performance.now() < this.#dueAt) return this.#token
    try {
      await this.#renew(signal)
    } catch (error) {
      this.#onFailure(error)
      this.#dueAt = performance.now() + RETRY_MS
    }
    return this.#token
  }

  /** The server refused it: another one is requested before the next use. */
  refuse(): void {
    this.#isRefused = true
  }

  async #renew(signal: AbortSignal): Promise<void> {
    this.#token = await this.#refresh(signal)
    this.#isRefused = false
    this.#dueAt = dueAt(this.#token)
  }
}

/**
 * By this host's clock, read once, when the token arrives. If it has expired by then, the two clocks
 * differ or the token was kept for long: the server decides.
 */
function dueAt(token: string): number {
  const lifetime = expiry(token) - Date.now() / 1_000
  if (lifetime <= 0) return Number.POSITIVE_INFINITY
  const margin = Math.min(MARGIN_SECONDS, lifetime / 10)
  return performance.now() + (lifetime - margin) * 1_000
}

/** In Unix seconds; infinite for anything but a JWT. */
function expiry(token: string): number {
  try {
    return decodeJwt(token).exp ?? Number.POSITIVE_INFINITY
  } catch {
    return Number.POSITIVE_INFINITY // the server knows what it is
  }
}
