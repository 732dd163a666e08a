/**
 * A job whose agent was killed: removes what is left of it, finishes its log, reports its result. Each
 * step can be repeated, in case this process is killed as well; `CompletionNotifier.reportTeardown`
 * is the last one.
 *
 * @module
 */

import { explain } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import { JobLog } from '../events/job-log.ts'
import { removeKeys } from '../host/authorized-keys.ts'
import { removeHostResources } from '../host/host-resources.ts'
import type { Logger } from '../log.ts'
import type { JobRecord, RecordedJob } from '../records/job-record.ts'
import { nowInSeconds } from '../time.ts'
import { CompletionNotifier, type CompletionNotifierOptions } from './completion-notifier.ts'
import { explainInterruption } from './open-block.ts'

export interface InterruptedJobOptions extends Omit<CompletionNotifierOptions, 'callbacks'> {
  readonly recorded: RecordedJob
  readonly record: JobRecord
  /** With the job's id on every line. */
  readonly log: Logger
}

const REASON = 'The agent was killed while this ran, and was started again: the job has failed.\n'

export class InterruptedJob {
  readonly notifier: CompletionNotifier
  readonly record: JobRecord
  readonly #log: Logger
  #jobLog: Promise<JobLog> | undefined

  constructor(options: InterruptedJobOptions) {
    this.record = options.record
    this.#log = options.log
    this.notifier = new CompletionNotifier({ ...options, callbacks: options.record.callbacks })
  }

  /**
   * Removes its keys, processes and files on this host. Its containers are found by their labels.
   *
   * @throws {AggregateError} when something could not be removed; the rest is
   */
  async cleanUp(): Promise<void> {
    const { keys, resources, leaders } = this.record
    const results = await Promise.allSettled([
      keys === undefined ? undefined : removeKeys(keys.home, keys.text),
      removeHostResources(resources, leaders),
    ])
    const errors = results.flatMap((it) => (it.status === 'rejected' ? [it.reason as unknown] : []))
    if (errors.length > 0) throw new AggregateError(errors, 'Cleaning up after the job failed')
  }

  /** For readers, who still find everything they had read before. Undefined for a job without a log. */
  openLog(): Promise<JobLog> | undefined {
    const { logPath } = this.record
    if (logPath !== undefined) this.#jobLog ??= JobLog.reopen(logPath)
    return this.#jobLog
  }

  /**
   * Reports the result, then completes the log: `failed`, unless the job had a result already. A job of
   * `agent run` has no log that others read, and whoever waited for its result has seen it die.
   * Never rejects.
   */
  async finish(): Promise<void> {
    if (this.record.logPath === undefined) return
    const jobLog = await this.openLog()?.catch((error: unknown) => {
      this.#log.error(`The job's log is lost: ${explain(error)}`)
      return undefined
    })
    if (jobLog?.finished) return await this.#reportLate()
    const result: JobResult = this.record.result ?? 'failed'
    const hasResult = this.record.result !== undefined
    if (jobLog !== undefined)
      await this.#write(jobLog, () => explainInterruption(jobLog, REASON, hasResult))
    await this.notifier.report(result)
    if (jobLog !== undefined) {
      const timestamp = nowInSeconds()
      await this.#write(jobLog, () => jobLog.write({ event: 'job_finished', timestamp, result }))
      await jobLog.close()
    }
    this.#log.info(`The interrupted job is over: ${result}`)
  }

  async #reportLate(): Promise<void> {
    const { result, callbackPending } = this.record
    if (callbackPending && result !== undefined) await this.notifier.report(result)
  }

  async #write(jobLog: JobLog, write: () => Promise<void>): Promise<void> {
    try {
      await write()
    } catch (error) {
      this.#log.error(`The job's log cannot be completed: ${explain(error)}`)
      await jobLog.close()
    }
  }
}
