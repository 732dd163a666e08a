/**
 * The last words about a job to its control plane, and the end of its journal: the same for a job
 * that has run here and for one that an earlier process left (see lib/job/README.md).
 *
 * @module
 */

import { explain } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import { type CallbackSender, createCallbackSender } from '../job/callbacks.ts'
import type { Logger } from '../log.ts'
import type { JobMetrics } from '../metrics/job-metrics.ts'
import type { Callbacks } from '../request/job-request.ts'
import type { Journal, JournalEntry } from '../state/journal.ts'

export interface SettlementOptions {
  readonly callbacks: Callbacks
  /** How often each is tried. */
  readonly attempts: number
  readonly journal: Journal
  readonly log: Logger
  readonly metrics: JobMetrics
  /** Aborted when callbacks are not waited for any more; the next start sends what is left. */
  readonly giveUp: AbortSignal
}

/** None of its methods rejects: what fails is told in the agent's log. */
export class Settlement {
  readonly #options: SettlementOptions
  readonly #sender: CallbackSender
  readonly #collected = Promise.withResolvers<'collected'>()
  #hasFailed = false

  constructor(options: SettlementOptions) {
    const { callbacks, attempts, log, metrics, giveUp: signal } = options
    const onFailure = () => {
      this.#hasFailed = true
      metrics.callbackFailed()
    }
    this.#options = options
    this.#sender = createCallbackSender(callbacks, { attempts, log, signal, onFailure })
  }

  /** Notes the result before it is told: after a crash nobody must be told otherwise. */
  async tell(result: JobResult): Promise<void> {
    const { callbacks } = this.#options
    await this.#note({ result })
    await this.#sender.finished(result)
    if (this.#isLeftToNextStart) await this.#note({ isUntold: true })
    else if (callbacks.finished !== undefined) {
      await this.#note({ callbacks: stillNeeded(callbacks, 'told') })
    }
  }

  /** Somebody has read the log to its end. Repeatable. */
  collected(): void {
    this.#collected.resolve('collected')
  }

  /**
   * The last callback, once the log was collected; then nothing of the job is open any more.
   *
   * @param patience aborted when the collection is not waited for any longer
   */
  async end(patience: AbortSignal): Promise<void> {
    const { callbacks, journal, log } = this.#options
    if (callbacks.teardownFinished !== undefined) {
      await this.#awaitCollection(patience)
      await this.#sender.teardownFinished()
    }
    if (this.#isLeftToNextStart) return
    await journal.end().catch((error: unknown) => log.error(explain(error)))
  }

  /** Not for what failed as often as it was to be tried. */
  get #isLeftToNextStart(): boolean {
    return this.#hasFailed && this.#options.giveUp.aborted
  }

  async #awaitCollection(patience: AbortSignal): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<'over'>()
    const end = () => resolve('over')
    if (patience.aborted) end()
    else patience.addEventListener('abort', end, { once: true })
    if ((await Promise.race([this.#collected.promise, over])) === 'over') {
      this.#options.log.warn(
        'Nobody has collected the log of this job in time; it is kept for later',
      )
    }
    patience.removeEventListener('abort', end)
  }

  async #note(change: Partial<JournalEntry>): Promise<void> {
    const { journal, log } = this.#options
    await journal.update(change).catch((error: unknown) => log.error(explain(error)))
  }
}

/**
 * What of them has to be kept for a later start: a token that nobody is shown again is not.
 *
 * @param progress whether the result is told already
 */
export function stillNeeded(
  { finished, teardownFinished, token }: Callbacks,
  progress: 'running' | 'told' = 'running',
): Callbacks {
  const urls = {
    ...(finished !== undefined && progress === 'running' && { finished }),
    ...(teardownFinished !== undefined && { teardownFinished }),
  }
  return Object.keys(urls).length === 0 || token === undefined ? urls : { ...urls, token }
}
