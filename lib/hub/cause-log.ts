/**
 * Says each trouble once, however often it comes back in a row.
 *
 * @module
 */

import { explain } from '../errors.ts'
import type { Logger } from '../log.ts'

export class CauseLog {
  readonly #log: Logger
  readonly #what: string
  #cause: string | undefined

  /** @param what fails, as the beginning of a sentence: `The sync` */
  constructor(log: Logger, what: string) {
    this.#log = log
    this.#what = what
  }

  failed(error: unknown): void {
    const cause = explain(error)
    if (cause === this.#cause) return
    this.#cause = cause
    this.#log.warn(`${this.#what} failed: ${cause}`)
  }

  succeeded(): void {
    if (this.#cause === undefined) return
    this.#cause = undefined
    this.#log.info(`${this.#what} succeeds again`)
  }
}
