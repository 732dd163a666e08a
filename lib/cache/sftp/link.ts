/**
 * An SFTP server as something that is always there: who loses the connection gets the next one.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { unlessAborted } from '../../async/abort.ts'
import { ConnectionLostError } from './error.ts'
import { SftpSession } from './session.ts'
import type { SftpSettings } from './settings.ts'

const ATTEMPTS = 6

/** Before the second attempt; each further pause is twice as long, 6 s in all. */
const FIRST_PAUSE_MS = 200

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
    for (let attempt = 1; ; attempt++) {
      try {
        return await unlessAborted(this.#current().then(work), signal)
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof ConnectionLostError) || attempt === ATTEMPTS) throw error
        if (this.#closed.signal.aborted) throw error
      }
      await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), undefined, { signal })
    }
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
