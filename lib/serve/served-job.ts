/**
 * One job of a server: with a log that others read, and a journal for the case that this process is
 * killed before the job is settled.
 *
 * @module
 */

import { JobAccess } from '../access/job-access.ts'
import { explain } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import type { JobLog } from '../events/job-log.ts'
import { createExecutor } from '../executors/choose.ts'
import type { Executor } from '../executors/executor.ts'
import { type HostTraces, planHostTraces } from '../host/job-traces.ts'
import type { Leader } from '../host/processes.ts'
import { type CallbackSender, createCallbackSender } from '../job/callbacks.ts'
import { Job } from '../job/job.ts'
import type { Logger } from '../log.ts'
import type { JobMetrics } from '../metrics/job-metrics.ts'
import type { JobRequest } from '../request/job-request.ts'
import type { JobConfig } from '../settings/job-config.ts'
import type { Journal, JournalEntry } from '../state/journal.ts'
import { waitForCollection } from './collection.ts'
import { refusingExecutor } from './refusing-executor.ts'

/** What all jobs of a server share. */
export interface ServedJobContext {
  readonly config: JobConfig
  readonly instanceId: string
  readonly metrics: JobMetrics
  /** Aborted when jobs have to end at once. */
  readonly hurry: AbortSignal
  /** Aborted when callbacks are not waited for any more; the next start sends what is left. */
  readonly giveUp: AbortSignal
}

export interface ServedJobOptions extends ServedJobContext {
  readonly request: JobRequest
  /** With the job's id on every line. */
  readonly log: Logger
  readonly journal: Journal
}

/** Where a job's log is, and why the job must not run although there is one. */
export interface OpenedLog {
  readonly jobLog: JobLog
  readonly path: string
  readonly obstacle?: unknown
}

export class ServedJob {
  readonly #options: ServedJobOptions
  readonly #traces: HostTraces
  readonly #access: JobAccess
  readonly #callbacks: CallbackSender
  readonly #collected = Promise.withResolvers<void>()
  #job: Job | undefined
  #stopped = false
  #leaders: readonly Leader[] = []
  #callbackFailed = false

  constructor(options: ServedJobOptions) {
    const { request, config, log, metrics, giveUp } = options
    this.#options = options
    this.#traces = planHostTraces(config.temporaryDirectory, config.home)
    const { home, dockerSocketPath } = config
    this.#access = new JobAccess({ request, home, dockerSocketPath, jumpPoint: 'always', log })
    this.#callbacks = createCallbackSender(request.callbacks, {
      attempts: config.callbackRetryAttempts,
      log,
      signal: giveUp,
      onFailure: () => {
        this.#callbackFailed = true
        metrics.callbackFailed()
      },
    })
  }

  get id(): string {
    return this.#options.request.id
  }

  /** Repeatable, at any time. */
  stop(): void {
    this.#stopped = true
    this.#job?.stop()
  }

  /** Somebody has read the log to its end. Repeatable. */
  collected(): void {
    this.#collected.resolve()
  }

  /**
   * Never rejects: what goes wrong fails the job, or is told in the agent's log.
   *
   * @param opened rejects when there is nowhere to keep a log: the job does not run then
   * @returns when the job is over and the next one may begin; whether something of it is left
   */
  async run(opened: Promise<OpenedLog>): Promise<{ readonly leftBehind: boolean }> {
    const { log, metrics } = this.#options
    const startedAt = performance.now()
    log.info(`The job begins (${this.#options.request.executor})`)
    let result: JobResult = 'failed'
    let logBytes = 0
    try {
      const { jobLog, path, obstacle } = await opened
      const executor = await this.#prepareExecutor(path, obstacle)
      const job = this.#createJob(executor, jobLog)
      result = await job.run()
      await jobLog.close() // has happened already, unless its last line could not be written
      logBytes = jobLog.size
    } catch (error) {
      log.error(`The job cannot run: ${explain(error)}`)
      await this.#callbacks.finished('failed')
    }
    await this.#access.close()
    const durationMs = performance.now() - startedAt
    log.info(`The job is over: ${result}, after ${(durationMs / 1_000).toFixed(1)} s`)
    metrics.jobFinished({ result, durationMs, logBytes })
    return { leftBehind: this.#job?.leftBehind ?? false }
  }

  /**
   * The last callback, once the log was collected (contract, 4.6).
   *
   * @param patience aborted when the collection is not waited for any longer
   */
  async settle(patience: AbortSignal): Promise<void> {
    const { request, log, journal, giveUp } = this.#options
    if (request.callbacks.teardownFinished !== undefined) {
      await waitForCollection(this.#collected.promise, patience, log)
      await this.#callbacks.teardownFinished()
    }
    // What was given up, as the agent was told to end at once, is left to its next start.
    if (giveUp.aborted && this.#callbackFailed) return
    await journal.end().catch((error: unknown) => log.error(explain(error)))
  }

  #createJob(executor: Executor, jobLog: JobLog): Job {
    const { request, config, log, giveUp } = this.#options
    const job = new Job({
      request,
      executor,
      sink: jobLog,
      callbacks: {
        finished: async (result) => {
          // Before it is told: after a crash nobody must be told otherwise.
          await this.#note({ result })
          await this.#callbacks.finished(result)
          if (this.#callbackFailed && giveUp.aborted) await this.#note({ isUntold: true })
        },
        teardownFinished: () => this.#callbacks.teardownFinished(),
      },
      log,
      hooks: { preJob: config.preJobHookPath, postJob: config.postJobHookPath },
      hostVariables: config.hostVariables,
    })
    this.#job = job
    if (this.#stopped) job.stop()
    return job
  }

  async #note(change: Partial<JournalEntry>): Promise<void> {
    const { journal, log } = this.#options
    await journal.update(change).catch((error: unknown) => log.error(explain(error)))
  }

  /** Everything that has to be known before the job makes anything. A failure fails the job, in its log. */
  async #prepareExecutor(logPath: string, obstacle: unknown): Promise<Executor> {
    const { request, config, instanceId, hurry, journal, metrics } = this.#options
    if (obstacle !== undefined) return refusingExecutor(request.executor, obstacle)
    const { id, executor, callbacks } = request
    try {
      await journal.begin({
        ...{ id, executor, logPath, callbacks, keys: this.#access.keys },
        ...{ traces: this.#traces, leaders: [] },
      })
      await this.#access.open()
      return await createExecutor(request, {
        ...{ config, hurry, instanceId, traces: this.#traces },
        onLeader: async (leader) => {
          this.#leaders = [...this.#leaders, leader]
          await journal.update({ leaders: this.#leaders })
        },
        onPulled: (report) => metrics.imagePulled(report),
        onContainer: (container) => this.#access.addContainer(container),
      })
    } catch (error) {
      return refusingExecutor(executor, error)
    }
  }
}
