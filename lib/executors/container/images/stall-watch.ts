/**
 * Ends what waits for a word that does not come.
 *
 * @module
 */

/** Started and stopped any number of times; counts from 0 with each start. */
export class StallWatch {
  readonly #controller = new AbortController()
  readonly #reason: (limitMs: number) => Error
  #timer: NodeJS.Timeout | undefined

  /** @param reason what {@link signal} is aborted with */
  constructor(reason: (limitMs: number) => Error) {
    this.#reason = reason
  }

  /** Aborted once it has run for its limit. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  start(limitMs: number): void {
    this.stop()
    this.#timer = setTimeout(() => this.#controller.abort(this.#reason(limitMs)), limitMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
