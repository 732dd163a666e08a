/**
 * When an agent syncs: as often as the control plane says, and at once when there is news.
 *
 * @module
 */

import { onAbort } from '../async/abort.ts'

/** The control plane considers an agent lost that is silent for longer. */
const LONGEST_PAUSE_MS = 60_000

export class SyncLoop {
  readonly #sync: () => Promise<number>
  #isDue = false
  #endPause: () => void = () => undefined

  /** @param sync never rejects; resolves with the time until the next one, in ms */
  constructor(sync: () => Promise<number>) {
    this.#sync = sync
  }

  /** The next sync is due at once; when one is under way, another one after it. */
  wake(): void {
    this.#isDue = true
    this.#endPause()
  }

  /** Resolves once the signal is aborted, and the sync that is under way has ended. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#isDue = false
      const pauseMs = await this.#sync()
      if (!this.#isDue) await this.#pause(Math.min(pauseMs, LONGEST_PAUSE_MS), signal)
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    using _ = onAbort(signal, resolve)
    this.#endPause = resolve
    await promise
    clearTimeout(timer)
  }
}
