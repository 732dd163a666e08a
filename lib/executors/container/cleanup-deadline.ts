/**
 * How long an engine that does not do what it is asked is waited for, when a job is over.
 *
 * @module
 */

/** An engine that is restarted under a job is back well within this time. */
const CLEANUP_LIMIT_MS = 60_000

/** For somebody who has asked twice to stop. */
const FORCED_LIMIT_MS = 5_000

export class CleanupDeadline {
  readonly #passed = new AbortController()
  readonly #forceStop: AbortSignal
  readonly #timers: NodeJS.Timeout[] = []

  constructor(forceStop: AbortSignal) {
    this.#forceStop = forceStop
    this.#limit(CLEANUP_LIMIT_MS)
    if (forceStop.aborted) this.#onForceStop()
    else forceStop.addEventListener('abort', this.#onForceStop, { once: true })
  }

  /** Aborted when it has passed. */
  get signal(): AbortSignal {
    return this.#passed.signal
  }

  /** To be called once nothing is waited for any more. */
  end(): void {
    this.#forceStop.removeEventListener('abort', this.#onForceStop)
    for (const timer of this.#timers) clearTimeout(timer)
  }

  readonly #onForceStop = (): void => this.#limit(FORCED_LIMIT_MS)

  #limit(ms: number): void {
    const pass = () => this.#passed.abort(new Error(`it was not done within ${ms / 1_000} s`))
    this.#timers.push(setTimeout(pass, ms))
  }
}
