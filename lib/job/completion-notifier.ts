/**
 * Reports a job's completion to its control plane and closes its record: the same for a job that has
 * run in this process and for an interrupted one (see lib/job/README.md).
 *
 * @module
 */

import { onAbort } from '../async/abort.ts'
import { explain } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import type { Logger } from '../log.ts'
import type { JobRecord, RecordedJob } from '../records/job-record.ts'
import type { Callbacks } from '../request/job-request.ts'
import { type CallbackSender, createCallbackSender } from './callbacks.ts'

export interface CompletionNotifierOptions {
  readonly callbacks: Callbacks
  /** Attempts per callback. */
  readonly attempts: number
  readonly recorded: RecordedJob
  readonly log: Logger
  /** Aborted when callbacks are no longer waited for; the next start sends those still pending. */
  readonly deadline: AbortSignal
  /** Called for each callback that never succeeded. */
  readonly onFailure?: (() => void) | undefined
}

/** No method rejects: failures go to the agent's log. */
export class CompletionNotifier {
  readonly #options: CompletionNotifierOptions
  readonly #sender: CallbackSender
  readonly #collected = Promise.withResolvers<'collected'>()
  #hasFailed = false

  constructor(options: CompletionNotifierOptions) {
    const { callbacks, attempts, log, deadline: signal } = options
    const onFailure = () => {
      this.#hasFailed = true
      options.onFailure?.()
    }
    this.#options = options
    this.#sender = createCallbackSender(callbacks, { attempts, log, signal, onFailure })
  }

  /** Records the result before reporting it, so that a different one cannot be reported after a crash. */
  async report(result: JobResult): Promise<void> {
    const { recorded } = this.#options
    await this.#record({ result })
    await this.#sender.finished(result)
    if (this.#isPending) await this.#record({ callbackPending: true })
    else if (recorded.record?.callbacks.finished !== undefined) {
      await this.#record({ callbacks: pendingCallbacks(recorded.record.callbacks, 'reported') })
    }
  }

  /** A reader has collected the log. Repeatable. */
  collected(): void {
    this.#collected.resolve('collected')
  }

  /** @param deadline aborted when the collection is no longer waited for */
  async awaitCollection(deadline: AbortSignal): Promise<void> {
    if (this.#options.callbacks.teardownFinished === undefined) return
    const { promise: expired, resolve } = Promise.withResolvers<'expired'>()
    using _ = onAbort(deadline, () => resolve('expired'))
    if ((await Promise.race([this.#collected.promise, expired])) === 'expired') {
      this.#options.log.warn('The log of this job was not collected in time; it is kept for later')
    }
  }

  /** Sends the last callback and removes the job's record, unless a callback is left to the next start. */
  async reportTeardown(): Promise<void> {
    const { recorded, log } = this.#options
    await this.#sender.teardownFinished()
    if (this.#isPending) return
    await recorded.remove().catch((error: unknown) => log.error(explain(error)))
  }

  /** A callback that has failed in all its attempts is not pending. */
  get #isPending(): boolean {
    return this.#hasFailed && this.#options.deadline.aborted
  }

  async #record(change: Partial<JobRecord>): Promise<void> {
    const { recorded, log } = this.#options
    await recorded.update(change).catch((error: unknown) => log.error(explain(error)))
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
