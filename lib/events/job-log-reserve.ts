/**
 * Room on the disk for the last lines of a job whose log has filled it: without them nobody who
 * reads that log would ever learn that the job is over, and why.
 *
 * @module
 */

import { rm, writeFile } from 'node:fs/promises'
import { jobLogError } from './job-log-file.ts'

/** A reason, the end of a block whose directive is a page long, and `job_finished`. */
const RESERVE_BYTES = 16 * 1024

export class JobLogReserve {
  readonly #path: string
  #held: boolean

  /** @param logPath the reserve lies beside that log, also when an earlier process made it */
  constructor(logPath: string) {
    this.#path = `${logPath}.reserve`
    this.#held = true
  }

  /** @throws {JobLogError} when there is no room even for this */
  async take(): Promise<void> {
    try {
      await writeFile(this.#path, Buffer.alloc(RESERVE_BYTES), { mode: 0o600 })
    } catch (cause) {
      throw jobLogError('created', this.#path, cause)
    }
  }

  /** Gives the room back. Repeatable. */
  async free(): Promise<void> {
    if (!this.#held) return
    this.#held = false
    // What cannot be removed (a read-only file system) is swept up with the log itself.
    await rm(this.#path, { force: true }).catch(() => undefined)
  }
}
