/**
 * How long an engine that does not do what it is asked is waited for, when a job is over.
 *
 * @module
 */

import { Deadline, onAbort } from '../../async/abort.ts'

/** An engine that is restarted under a job is back well within this time. */
const CLEANUP_LIMIT_MS = 60_000

/** For somebody who has asked twice to stop. */
const FORCED_LIMIT_MS = 5_000

export class CleanupDeadline extends Deadline {
  readonly #forced = new DisposableStack()

  constructor(forceStop: AbortSignal) {
    super(CLEANUP_LIMIT_MS)
    this.#forced.use(onAbort(forceStop, () => this.#shorten()))
  }

  #shorten(): void {
    const { signal } = this.#forced.use(new Deadline(FORCED_LIMIT_MS))
    void onAbort(signal, () => this.abort(signal.reason))
  }

  override [Symbol.dispose](): void {
    this.#forced.dispose()
    super[Symbol.dispose]()
  }
}
