/**
 * Standard output as a slow reader of the log: waited for, never blocking the event loop.
 *
 * @module
 */

import { write } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const STDOUT = 1

/** A reader that left a non-blocking pipe full is asked again after this. */
const RETRY_MS = 5

const writeTo = promisify(write)

/**
 * `process.stdout` writes to pipes synchronously: a reader that stalls (`agent run … | less`) would
 * stop signals and callbacks. This writes from a thread, one piece after the other.
 */
export class StandardOutput {
  #closed = false

  /**
   * Resolves when the text has been handed over; at once, and with no effect, after the reader has
   * gone away, since the job goes on without it.
   *
   * @throws {Error} of the file system, e.g. ENOSPC when redirected to a file
   */
  async write(text: string): Promise<void> {
    if (this.#closed) return
    let rest = Buffer.from(text)
    while (rest.length > 0) rest = rest.subarray(await this.#writeSome(rest))
  }

  async #writeSome(bytes: Buffer): Promise<number> {
    try {
      const { bytesWritten } = await writeTo(STDOUT, bytes, 0, bytes.length, null)
      return bytesWritten
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EAGAIN') {
        await sleep(RETRY_MS)
        return 0
      }
      if (code !== 'EPIPE') throw error
      this.#closed = true
      return bytes.length
    }
  }
}
