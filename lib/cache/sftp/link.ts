/**
 * An SFTP server as something that is always there: who loses the connection gets the next one.
 *
 * @module
 */

import { unlessAborted } from '../../async/abort.ts'
import { retry } from '../../async/retry.ts'
import { ConnectionLostError } from './error.ts'
import { SftpSession } from './session.ts'
import type { SftpSettings } from './settings.ts'

/** 6 s in all. */
const DELAYS_MS: readonly number[] = [200, 400, 800, 1_600, 3_200]

export class SftpLink {
  readonly #settings: SftpSettings
  readonly #closed = new AbortController()
  #session: Promise<SftpSession> | undefined

  /** Connects when first used. */
  constructor(settings: SftpSettings) {
    this.#settings = settings
  }

  /**
   * Many at once share one connection. After a loss the work is done again from its beginning, so
   * it has to be harmless to have done it twice.
   */
  async run<T>(work: (session: SftpSession) => Promise<T>, signal: AbortSignal): Promise<T> {
    const action = async () => {
      try {
        return await unlessAborted(this.#current().then(work), signal)
      } catch (error) {
        signal.throwIfAborted()
        throw error
      }
    }
    const isRetryable = (error: unknown) =>
      error instanceof ConnectionLostError && !this.#closed.signal.aborted
    return await retry(action, { delaysMs: DELAYS_MS, signal, isRetryable })
  }

  /** Who is still connecting is not waited for. */
  async close(): Promise<void> {
    this.#closed.abort()
    const session = await this.#session?.catch(() => undefined)
    await session?.end()
  }

  #current(): Promise<SftpSession> {
    if (this.#session !== undefined) return this.#session
    const forget = () => {
      if (this.#session === session) this.#session = undefined
    }
    const session = SftpSession.connect(this.#settings, forget, this.#closed.signal)
    session.catch(forget)
    this.#session = session
    return session
  }
}
