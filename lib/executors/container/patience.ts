/**
 * How long an engine that does not do what it is asked is waited for, when a job is over.
 *
 * @module
 */

/** An engine that is restarted under a job is back well within this time. */
const CLEANUP_LIMIT_MS = 60_000

/** For somebody who has asked twice to stop. */
const HURRIED_LIMIT_MS = 5_000

export class Patience {
  readonly #over = new AbortController()
  readonly #hurry: AbortSignal
  readonly #timers: NodeJS.Timeout[] = []

  constructor(hurry: AbortSignal) {
    this.#hurry = hurry
    this.#limit(CLEANUP_LIMIT_MS)
    if (hurry.aborted) this.#onHurry()
    else hurry.addEventListener('abort', this.#onHurry, { once: true })
  }

  /** Aborted when it is over. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** To be called once nothing is waited for any more. */
  end(): void {
    this.#hurry.removeEventListener('abort', this.#onHurry)
    for (const timer of this.#timers) clearTimeout(timer)
  }

  readonly #onHurry = (): void => this.#limit(HURRIED_LIMIT_MS)

  #limit(ms: number): void {
    const over = () => this.#over.abort(new Error(`it was not done within ${ms / 1_000} s`))
    this.#timers.push(setTimeout(over, ms))
  }
}
