/**
 * Reports a job's completion to its control plane, then closes its journal: the same for a job that
 * has run in this process and for an interrupted one (see lib/job/README.md).
 *
 * @module
 */

import { onAbort } from '../async/abort.ts'
import { explain } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import { type CallbackSender, createCallbackSender } from '../job/callbacks.ts'
import type { Logger } from '../log.ts'
import type { JobMetrics } from '../metrics/job-metrics.ts'
import type { Journal, JournalEntry } from '../records/journal.ts'
import type { Callbacks } from '../request/job-request.ts'
import type { Shutdown } from './shutdown.ts'

export interface CompletionNotifierOptions {
  readonly callbacks: Callbacks
  /** How often each is tried. */
  readonly attempts: number
  readonly journal: Journal
  readonly log: Logger
  readonly metrics: JobMetrics
  readonly shutdown: Shutdown
}

/** No method rejects: failures go to the agent's log. */
export class CompletionNotifier {
  readonly #options: CompletionNotifierOptions
  readonly #sender: CallbackSender
  readonly #collected = Promise.withResolvers<'collected'>()
  #hasFailed = false

  constructor(options: CompletionNotifierOptions) {
    const { callbacks, attempts, log, metrics, shutdown } = options
    const onFailure = () => {
      this.#hasFailed = true
      metrics.callbackFailed()
    }
    const signal = shutdown.at('callbackDeadline')
    this.#options = options
    this.#sender = createCallbackSender(callbacks, { attempts, log, signal, onFailure })
  }

  /** Records the result before it is reported, so that no other one can be reported after a crash. */
  async report(result: JobResult): Promise<void> {
    const { callbacks } = this.#options
    await this.#record({ result })
    await this.#sender.finished(result)
    if (this.#isPending) await this.#record({ callbackPending: true })
    else if (callbacks.finished !== undefined) {
      await this.#record({ callbacks: pendingCallbacks(callbacks, 'reported') })
    }
  }

  /** A reader has collected the log. Repeatable. */
  collected(): void {
    this.#collected.resolve('collected')
  }

  /**
   * Sends the last callback once the log is collected, and closes the journal.
   *
   * @param collectionDeadline aborted when the collection is no longer waited for
   */
  async reportTeardown(collectionDeadline: AbortSignal): Promise<void> {
    const { callbacks, journal, log } = this.#options
    if (callbacks.teardownFinished !== undefined) {
      await this.#awaitCollection(collectionDeadline)
      await this.#sender.teardownFinished()
    }
    if (this.#isPending) return
    await journal.end().catch((error: unknown) => log.error(explain(error)))
  }

  /** A callback that has failed in all its attempts is not pending. */
  get #isPending(): boolean {
    return this.#hasFailed && this.#options.shutdown.at('callbackDeadline').aborted
  }

  async #awaitCollection(collectionDeadline: AbortSignal): Promise<void> {
    const { promise: expired, resolve } = Promise.withResolvers<'expired'>()
    using _ = onAbort(collectionDeadline, () => resolve('expired'))
    if ((await Promise.race([this.#collected.promise, expired])) === 'expired') {
      this.#options.log.warn('The log of this job was not collected in time; it is kept for later')
    }
  }

  async #record(change: Partial<JournalEntry>): Promise<void> {
    const { journal, log } = this.#options
    await journal.update(change).catch((error: unknown) => log.error(explain(error)))
  }
}

/**
 * The callbacks that a later start may have to send. A token that is no longer needed is dropped.
 *
 * @param progress whether the result has been reported
 */
export function pendingCallbacks(
  { finished, teardownFinished, token }: Callbacks,
  progress: 'running' | 'reported' = 'running',
): Callbacks {
  const urls = {
    ...(finished !== undefined && progress === 'running' && { finished }),
    ...(teardownFinished !== undefined && { teardownFinished }),
  }
  return Object.keys(urls).length === 0 || token === undefined ? urls : { ...urls, token }
}
