/**
 * Ends what waits for a word that does not come.
 *
 * @module
 */

/** Started and stopped any number of times; counts from 0 with each start. */
export class StallWatch {
  readonly #controller = new AbortController()
  readonly #limitMs: number
  readonly #reason: () => Error
  #timer: NodeJS.Timeout | undefined

  /** @param reason what {@link signal} is aborted with */
  constructor(limitMs: number, reason: () => Error) {
    this.#limitMs = limitMs
    this.#reason = reason
  }

  /** Aborted once it has run for its limit. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  start(): void {
    this.stop()
    this.#timer = setTimeout(() => this.#controller.abort(this.#reason()), this.#limitMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
