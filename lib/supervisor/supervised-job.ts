/**
 * One job of a server: with a log that others read, and a journal for the case that this process is
 * killed before the job is reported.
 *
 * @module
 */

import { JobAccess } from '../access/job-access.ts'
import { explain } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import type { JobLog } from '../events/job-log.ts'
import type { Executor } from '../executors/executor.ts'
import { kindOf } from '../executors/registry.ts'
import type { Leader } from '../host/processes.ts'
import { Job } from '../job/job.ts'
import { timeLimitsOf } from '../job/time-limits.ts'
import type { Logger } from '../log.ts'
import type { JobMetrics } from '../metrics/job-metrics.ts'
import type { Journal } from '../records/journal.ts'
import type { ExecutorName, JobRequest } from '../request/job-request.ts'
import type { JobConfig } from '../settings/job-config.ts'
import { CompletionNotifier, pendingCallbacks } from './completion-notifier.ts'
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
  readonly journal: Journal
}

/**
 * `running` up to its result; `clearing` while what it made is removed, beside the next job;
 * `reporting` while the control plane has still to collect its log or to be notified.
 */
export type Phase = 'running' | 'clearing' | 'reporting'

export class SupervisedJob {
  readonly notifier: CompletionNotifier
  readonly #options: SupervisedJobOptions
  readonly #access: JobAccess
  readonly #startedAt = performance.now()
  #job: Job | undefined
  #phase: Phase = 'running'
  #accessClosed: Promise<void> | undefined
  #stopped = false
  #leaders: readonly Leader[] = []

  constructor(options: SupervisedJobOptions) {
    const { request, config, log } = options
    const { home, dockerSocketPath, callbackRetryAttempts: attempts } = config
    this.#options = options
    this.#access = new JobAccess({ request, home, dockerSocketPath, jumpPoint: 'always', log })
    this.notifier = new CompletionNotifier({ ...options, callbacks: request.callbacks, attempts })
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

  /** Repeatable, at any time. */
  stop(): void {
    this.#stopped = true
    this.#job?.stop()
  }

  /**
   * Never rejects: what goes wrong fails the job, or is told in the agent's log.
   *
   * @param opened rejects when there is nowhere to keep a log: the job does not run then
   * @returns when nothing of the job is left, or the agent's log says what is: then `leftBehind`
   */
  async run(opened: Promise<OpenedLog>): Promise<{ readonly leftBehind: boolean }> {
    const { log, metrics, request } = this.#options
    log.info(`The job begins (${request.executor})`)
    try {
      const { jobLog, path, obstacle } = await opened
      const executor = await this.#prepareExecutor(path, obstacle)
      const job = this.#createJob(executor, jobLog)
      await job.run()
      await jobLog.close() // has happened already, unless its last line could not be written
      metrics.logEnded(jobLog.size)
    } catch (error) {
      log.error(`The job cannot run: ${explain(error)}`)
      await this.#end('failed')
    }
    await Promise.all([this.#job?.clear(), this.#accessClosed])
    this.#phase = 'reporting'
    return { leftBehind: this.#job?.leftBehind ?? false }
  }

  /**
   * The next job may begin as soon as anybody can know of this one's end: a control plane may send
   * it before it has answered the callback. So nobody gets into this one any more, either.
   */
  async #end(result: JobResult): Promise<void> {
    if (this.#phase !== 'running') return
    const { log, metrics } = this.#options
    const durationMs = performance.now() - this.#startedAt
    log.info(`The job is over: ${result}, after ${(durationMs / 1_000).toFixed(1)} s`)
    metrics.jobFinished({ result, durationMs })
    this.#phase = 'clearing'
    this.#accessClosed = this.#access.close()
    await this.notifier.report(result)
  }

  #createJob(executor: Executor, jobLog: JobLog): Job {
    const { request, config, log } = this.#options
    const job = new Job({
      request,
      executor,
      sink: jobLog,
      onResult: (result) => this.#end(result),
      log,
      hooks: { preJob: config.preJobHookPath, postJob: config.postJobHookPath },
      hostVariables: config.hostVariables,
      limits: timeLimitsOf(request, config),
    })
    this.#job = job
    if (this.#stopped) job.stop()
    return job
  }

  /** Everything that has to be known before the job makes anything. A failure fails the job, in its log. */
  async #prepareExecutor(logPath: string, obstacle: unknown): Promise<Executor> {
    const { request, config, instanceId, journal, metrics, shutdown } = this.#options
    if (obstacle !== undefined) return refusingExecutor(obstacle)
    const { id, executor, callbacks } = request
    try {
      const kind = kindOf(executor)
      const traces = kind.planTraces(config)
      await journal.begin({
        ...{
          id,
          executor,
          logPath,
          callbacks: pendingCallbacks(callbacks),
          keys: this.#access.keys,
        },
        ...{ traces, leaders: [] },
      })
      await this.#access.open()
      return await kind.create(request, {
        ...{ config, forceStop: shutdown.at('forcedStop'), instanceId, traces },
        onLeader: async (leader) => {
          this.#leaders = [...this.#leaders, leader]
          await journal.update({ leaders: this.#leaders })
        },
        onPulled: (report) => metrics.imagePulled(report),
        onContainer: (container) => this.#access.addContainer(container),
      })
    } catch (error) {
      return refusingExecutor(error)
    }
  }
}
