/**
 * The jobs that an earlier process of this agent was running when it was killed.
 *
 * @module
 */

import { explain } from '../errors.ts'
import type { JobLog } from '../events/job-log.ts'
import { InterruptedJob } from '../job/interrupted-job.ts'
import type { Logger } from '../log.ts'
import type { JobMetrics } from '../metrics/job-metrics.ts'
import type { JobRecords } from '../records/job-records.ts'
import type { KeptLogs } from '../records/kept-logs.ts'
import type { ExecutorName } from '../request/job-request.ts'

export interface InterruptedJobsOptions {
  readonly records: JobRecords
  /** Their logs are added here, so that they are readable at once. */
  readonly kept: KeptLogs
  readonly metrics: JobMetrics
  /** Attempts for each callback. */
  readonly attempts: number
  /** Aborted when callbacks are no longer waited for. */
  readonly callbackDeadline: AbortSignal
  /** @param job the id that marks every line */
  readonly logFor: (job?: string) => Logger
}

export class InterruptedJobs {
  readonly #logFor: InterruptedJobsOptions['logFor']
  readonly #jobs: readonly InterruptedJob[]
  readonly #finished = new Map<string, Promise<void>>()
  #lastLog: JobLog | undefined

  /** Finds them, and changes nothing yet. @throws {Error} of the file system */
  static async find(options: InterruptedJobsOptions): Promise<InterruptedJobs> {
    const { records, kept, logFor, metrics, attempts, callbackDeadline } = options
    const jobs: InterruptedJob[] = []
    let lastLog: JobLog | undefined
    for (const recorded of await records.readAll(logFor())) {
      const { record } = recorded
      if (record === undefined) continue
      const job = new InterruptedJob({
        ...{ recorded, record, log: logFor(record.id), attempts },
        deadline: callbackDeadline,
        onFailure: metrics.callbackFailed,
      })
      const jobLog = job.openLog()
      if (jobLog !== undefined) kept.put(record.id, record.logPath ?? '', jobLog)
      lastLog = await jobLog?.catch(() => undefined) // reported as the job is finished
      jobs.push(job)
    }
    return new InterruptedJobs(jobs, logFor, lastLog)
  }

  private constructor(
    jobs: readonly InterruptedJob[],
    logFor: InterruptedJobsOptions['logFor'],
    lastLog: JobLog | undefined,
  ) {
    this.#jobs = jobs
    this.#logFor = logFor
    this.#lastLog = lastLog
  }

  /** The last one and its log, if that is readable. */
  get last(): { readonly id: string; readonly log: JobLog | undefined } | undefined {
    const id = this.#jobs.at(-1)?.record.id
    return id === undefined ? undefined : { id, log: this.#lastLog }
  }

  get executors(): readonly ExecutorName[] {
    return this.#jobs.map(({ record }) => record.executor)
  }

  /** Removes what is left of them on this host. Never rejects: failures go to the agent's log. */
  async cleanUp(): Promise<void> {
    await Promise.all(
      this.#jobs.map(async (job) => {
        const log = this.#logFor(job.record.id)
        log.warn('The agent was killed during this job: removing what is left of it')
        await job.cleanUp().catch((error: unknown) => log.error(explain(error)))
      }),
    )
  }

  /**
   * Completes their logs, and reports their results. Call once.
   *
   * @param cleared resolves when nothing of them is left
   * @param reportTeardown the last step of each
   */
  end(
    cleared: Promise<void>,
    reportTeardown: (job: InterruptedJob) => Promise<void>,
  ): Promise<void>[] {
    return this.#jobs.map((job) => {
      const finished = cleared.then(() => job.finish())
      this.#finished.set(job.record.id, finished)
      return finished.then(() => reportTeardown(job))
    })
  }

  /** Resolves when that job's log is complete; at once for any other job. */
  async whenFinished(id: string): Promise<void> {
    await this.#finished.get(id)
  }

  collected(id: string): void {
    for (const { record, notifier } of this.#jobs) if (record.id === id) notifier.collected()
  }
}
