/**
 * An SFTP server as something that is always there: who loses the connection gets the next one.
 *
 * @module
 */

import { unlessAborted } from '../../async/abort.ts'
import { retry } from '../../async/retry.ts'
import { SftpConnection } from './connection.ts'
import { ConnectionLostError } from './error.ts'
import type { SftpSettings } from './settings.ts'

/** 6 s in all. */
const DELAYS_MS: readonly number[] = [200, 400, 800, 1_600, 3_200]

export class SftpLink {
  readonly #settings: SftpSettings
  readonly #closed = new AbortController()
  #connection: Promise<SftpConnection> | undefined

  /** Connects when first used. */
  constructor(settings: SftpSettings) {
    this.#settings = settings
  }

  /**
   * Many at once share one connection. After a loss the work is done again from its beginning, so
   * it has to be harmless to have done it twice.
   */
  async run<T>(work: (connection: SftpConnection) => Promise<T>, signal: AbortSignal): Promise<T> {
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
    const connection = await this.#connection?.catch(() => undefined)
    await connection?.end()
  }

  #current(): Promise<SftpConnection> {
    if (this.#connection !== undefined) return this.#connection
    const forget = () => {
      if (this.#connection === connection) this.#connection = undefined
    }
    const connection = SftpConnection.connect(this.#settings, forget, this.#closed.signal)
    connection.catch(forget)
    this.#connection = connection
    return connection
  }
}
