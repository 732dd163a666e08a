/**
 * Logs each cause of failure once, however often it recurs, until there has been a success.
 *
 * @module
 */

import { explain } from '../errors.ts'
import type { Logger } from '../log.ts'

/** Further causes are not logged. */
const MAX_CAUSES = 20

export class CauseLog {
  readonly #log: Logger
  readonly #what: string
  readonly #causes = new Set<string>()

  /** @param what fails, as the beginning of a sentence: `The sync` */
  constructor(log: Logger, what: string) {
    this.#log = log
    this.#what = what
  }

  failed(error: unknown): void {
    const cause = explain(error)
    if (this.#causes.has(cause) || this.#causes.size >= MAX_CAUSES) return
    this.#causes.add(cause)
    this.#log.warn(`${this.#what} failed: ${cause}`)
  }

  succeeded(): void {
    if (this.#causes.size === 0) return
    this.#causes.clear()
    this.#log.info(`${this.#what} succeeds again`)
  }
}
