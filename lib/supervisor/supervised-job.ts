/**
 * One job of a server: it has a log that others read, and a record in case this process is killed before
 * the job is reported.
 *
 * @module
 */

import { explain } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import type { JobLog } from '../events/job-log.ts'
import type { Executor } from '../executors/executor.ts'
import type { CompletionNotifier } from '../job/completion-notifier.ts'
import { JobRun } from '../job/job-run.ts'
import type { Logger } from '../log.ts'
import { wantsUpload } from '../log-upload/artifact-store.ts'
import { uploadJobLog } from '../log-upload/upload.ts'
import type { AddSecret } from '../masking/masking.ts'
import type { JobMetrics } from '../metrics/job-metrics.ts'
import type { RecordedJob } from '../records/job-record.ts'
import { keepRequest } from '../records/kept-requests.ts'
import type { ExecutorName, JobRequest } from '../request/job-request.ts'
import { type JobConfig, variablesOf } from '../settings/job-config.ts'
import type { OpenedLog } from './open-log.ts'
import { refusingExecutor } from './refusing-executor.ts'
import type { Shutdown } from './shutdown.ts'

/** What all jobs of a server share. */
export interface SupervisedJobContext {
  readonly config: JobConfig
  readonly instanceId: string
  readonly metrics: JobMetrics
  readonly shutdown: Shutdown
}

export interface SupervisedJobOptions extends SupervisedJobContext {
  readonly request: JobRequest
  /** With the job's id on every line. */
  readonly log: Logger
  readonly recorded: RecordedJob
  readonly logPath: string
}

/**
 * `running` until it has its result; `clearing` while everything it created is removed, possibly beside the
 * next job; `reporting` while the control plane still has to collect its log or be notified.
 */
export type Phase = 'running' | 'clearing' | 'reporting'

export class SupervisedJob {
  readonly #options: SupervisedJobOptions
  readonly #jobRun: JobRun
  readonly #startedAt = performance.now()
  readonly #over = Promise.withResolvers<JobResult>()
  #phase: Phase = 'running'
  #result: JobResult = 'failed'
  #accessClosed: Promise<void> | undefined

  constructor(options: SupervisedJobOptions) {
    const { metrics, shutdown, ...wiring } = options
    this.#options = options
    this.#jobRun = new JobRun({
      ...wiring,
      jumpPoint: 'always',
      forceStop: shutdown.at('forcedStop'),
      callbackDeadline: shutdown.at('callbackDeadline'),
      onPulled: metrics.imagePulled,
      onCallbackFailed: metrics.callbackFailed,
    })
  }

  get notifier(): CompletionNotifier {
    return this.#jobRun.notifier
  }

  get addSecret(): AddSecret {
    return this.#jobRun.addSecret
  }

  get id(): string {
    return this.#options.request.id
  }

  get executor(): ExecutorName {
    return this.#options.request.executor
  }

  get phase(): Phase {
    return this.#phase
  }

  /** Resolves when the job is over and its log complete; it may not be cleaned up yet. */
  get over(): Promise<JobResult> {
    return this.#over.promise
  }

  /** Repeatable, at any time. */
  stop(): void {
    this.#jobRun.stop()
  }

  /**
   * Never rejects: failures fail the job, or go to the agent's log.
   *
   * @param opened rejects when the log cannot be kept anywhere: then the job does not run
   * @returns when nothing of the job is left, or the agent's log says what is: then `cleanupFailed`
   */
  async run(opened: Promise<OpenedLog>): Promise<{ readonly cleanupFailed: boolean }> {
    const { metrics, request } = this.#options
    const { log } = this.#jobRun
    log.info(`The job begins (${request.executor})`)
    let kept: Promise<void> | undefined
    let uploaded: Promise<void> | undefined
    try {
      const { jobLog, obstacle } = await opened
      if (obstacle === undefined) kept = this.#keepRequest()
      const executor = await this.#prepareExecutor(obstacle)
      const onResult = (result: JobResult) => this.#end(result)
      await this.#jobRun.create(executor, { sink: jobLog, onResult }).run()
      await jobLog.close() // already closed, unless its last line could not be written
      metrics.logEnded(jobLog.size)
      uploaded = this.#upload(jobLog)
    } catch (error) {
      log.error(`The job cannot run: ${explain(error)}`)
      await this.#end('failed')
    }
    this.#over.resolve(this.#result)
    await Promise.all([this.#jobRun.job?.clear(), this.#accessClosed, uploaded, kept])
    this.#phase = 'reporting'
    return { cleanupFailed: this.#jobRun.job?.cleanupFailed ?? false }
  }

  /**
   * The next job may begin as soon as this one's end is known: a control plane may send it before it has
   * answered the callback. So this job can no longer be attached to, either.
   */
  async #end(result: JobResult): Promise<void> {
    if (this.#phase !== 'running') return
    const { metrics } = this.#options
    const { log } = this.#jobRun
    const durationMs = performance.now() - this.#startedAt
    log.info(`The job is over: ${result}, after ${(durationMs / 1_000).toFixed(1)} s`)
    metrics.jobFinished({ result, durationMs })
    this.#phase = 'clearing'
    this.#result = result
    this.#accessClosed = this.#jobRun.access.close()
    await this.notifier.report(result)
  }

  /** For `agent report`: no job depends on it. */
  async #keepRequest(): Promise<void> {
    const { logPath } = this.#options
    try {
      await keepRequest(logPath, this.#jobRun.describeRequest())
    } catch (error) {
      this.#jobRun.log.warn(`The job's request is not kept for agent report: ${explain(error)}`)
    }
  }

  /** As an artifact of the job, if the job's variables say so. */
  async #upload(jobLog: JobLog): Promise<void> {
    const { config, log, request, shutdown } = this.#options
    const { id: jobId, logger } = request
    const variables = variablesOf(config, request.envVars)
    // In a fleet, a setting of the host's owner decides, once the whole log has been pushed.
    if (config.fleet !== undefined) return
    if (!wantsUpload(variables, jobLog, logger.maxSizeInBytes)) return
    const signal = shutdown.at('callbackDeadline')
    await uploadJobLog({ jobLog, jobId, variables, log, signal })
  }

  /** A failure fails the job, in its log. */
  async #prepareExecutor(obstacle: unknown): Promise<Executor> {
    if (obstacle !== undefined) return refusingExecutor(obstacle)
    return await this.#jobRun.prepare().catch(refusingExecutor)
  }
}
