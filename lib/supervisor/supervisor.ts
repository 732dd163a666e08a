/**
 * Supervises the jobs of an agent: runs as many at a time as it has capacity for, keeps their logs,
 * and recovers those of an earlier process. A finished job makes room for the next one at once, while
 * its clean-up goes on.
 *
 * @module
 */

import { join } from 'node:path'
import { Deadline } from '../async/abort.ts'
import { explain } from '../errors.ts'
import type { JobLog } from '../events/job-log.ts'
import { recoverDeadRuns } from '../job/dead-runs.ts'
import type { InterruptedJob } from '../job/interrupted-job.ts'
import type { JobSlot, Submission } from '../job/slot.ts'
import type { Logger } from '../log.ts'
import type { JobMetrics } from '../metrics/job-metrics.ts'
import type { StateDirectory } from '../records/directory.ts'
import { JobRecords } from '../records/job-records.ts'
import { type KeptLimits, KeptLogs, LOGS } from '../records/kept-logs.ts'
import type { JobRequest } from '../request/job-request.ts'
import type { JobConfig } from '../settings/job-config.ts'
import { InterruptedJobs } from './interrupted-jobs.ts'
import { type OpenedLog, openLog } from './open-log.ts'
import { OrphanReaper } from './orphan-reaper.ts'
import { Shutdown } from './shutdown.ts'
import type { SupervisedJob } from './supervised-job.ts'

export interface SupervisorOptions {
  readonly state: StateDirectory
  readonly config: JobConfig
  readonly keptLogs: KeptLimits
  /** Jobs that may run at one time. */
  readonly capacity: number
  /** Longest wait for a log to be collected; then `teardown_finished` is sent anyway. */
  readonly collectionTimeoutMs: number
  readonly metrics: JobMetrics
  /** @param job the id that marks every line */
  readonly logFor: (job?: string) => Logger
}

/** A job, and its log once there is a file for it; rejects when the log cannot be kept anywhere. */
export interface StartedJob {
  readonly job: SupervisedJob
  readonly jobLog: Promise<JobLog>
}

export class Supervisor implements JobSlot {
  readonly #options: SupervisorOptions
  readonly #log: Logger
  /** Of running and finished jobs, also those of earlier processes. */
  readonly logs: KeptLogs
  readonly #records: JobRecords
  readonly #orphanReaper: OrphanReaper
  readonly #shutdown = new Shutdown()
  /** By id, the oldest first: each from its acceptance to its last callback. */
  readonly #jobs = new Map<string, SupervisedJob>()
  /** Everything that has to end before the process may. */
  readonly #work = new Set<Promise<void>>()
  #currentLog: JobLog | undefined
  #currentId: string | undefined
  /** Resolves when earlier jobs are cleaned up: the next one may begin. */
  readonly #cleared = Promise.withResolvers<void>()
  #interrupted: InterruptedJobs | undefined

  /**
   * Finds the jobs that an earlier process left: their logs are readable at once.
   *
   * @throws {Error} of the file system
   */
  static async open(options: SupervisorOptions): Promise<Supervisor> {
    const { path } = options.state
    const log = options.logFor()
    const [kept, records] = await Promise.all([
      KeptLogs.open(join(path, LOGS), options.keptLogs, log),
      JobRecords.open(join(path, 'records')),
    ])
    const jobs = new Supervisor(options, kept, records)
    await jobs.#findInterrupted()
    return jobs
  }

  /**
   * Cleans up after an earlier process before the first job, and ends its jobs. Not part of {@link open},
   * since clients need not wait for it.
   */
  begin(): void {
    void loadJobParts() // so that they are ready for the first job
    void this.#clear().finally(this.#cleared.resolve)
    const ends = this.#interrupted?.end(this.#cleared.promise, (job) => this.#reportTeardown(job))
    for (const end of ends ?? []) this.#track(end)
  }

  private constructor(options: SupervisorOptions, kept: KeptLogs, records: JobRecords) {
    this.#options = options
    this.#log = options.logFor()
    this.logs = kept
    this.#records = records
    this.#orphanReaper = new OrphanReaper({
      socketPath: options.config.dockerSocketPath,
      instanceId: options.state.instance,
      isActive: (id) => this.#isActive(id),
      log: this.#log,
      signal: this.#shutdown.at('done'),
    })
  }

  get state(): JobSlot['state'] {
    return this.#running.length < this.#options.capacity ? 'waiting-for-job' : 'job-received'
  }

  get #running(): readonly SupervisedJob[] {
    return [...this.#jobs.values()].filter(({ phase }) => phase === 'running')
  }

  get currentLog(): JobLog | undefined {
    return this.#currentLog
  }

  get currentId(): string | undefined {
    return this.#currentId
  }

  async submit(document: unknown): Promise<Submission> {
    const parts = await loadJobParts()
    const request = await parts.parseJobRequestInSlices(document)
    if (this.#jobs.has(request.id) || this.logs.has(request.id)) return { kind: 'duplicate' }
    if (this.#shutdown.at('draining').aborted) {
      return { kind: 'refused', reason: 'the agent is shutting down and takes no more jobs' }
    }
    if (this.#running.length >= this.#options.capacity) return { kind: 'busy' }
    this.#start(request, parts) // no await since `#jobs` was checked: two requests cannot both win
    return { kind: 'accepted' }
  }

  /**
   * For a caller that keeps to the capacity itself, and waits for each job.
   *
   * @param request of an id that has no log yet
   */
  async run(request: JobRequest): Promise<StartedJob> {
    return this.#start(request, await loadJobParts())
  }

  /** Resolves when the log of that job, begun by an earlier process, is complete. */
  async whenRecovered(id: string): Promise<void> {
    await this.#interrupted?.whenFinished(id)
  }

  stop(): void {
    for (const job of this.#running) {
      this.#log.info(`Stopping the job ${job.id}`)
      job.stop()
    }
  }

  async log(id: string): Promise<JobLog | undefined> {
    return await this.logs.get(id)
  }

  collected(id: string): void {
    this.#jobs.get(id)?.notifier.collected()
    this.#interrupted?.collected(id)
  }

  /** Whether a job is running or still has callbacks to send. */
  get isBusy(): boolean {
    return this.#work.size > 0
  }

  /**
   * Accepts no more jobs, and resolves when the last one is reported. Repeatable.
   *
   * @param jobLimitMs after this the running job is stopped. Default: it may run to its end
   */
  async close(jobLimitMs?: number): Promise<void> {
    this.#shutdown.enter('draining')
    const stopLate = (limitMs: number) => setTimeout(() => this.#stopLate(limitMs), limitMs)
    const limit = jobLimitMs === undefined ? undefined : stopLate(jobLimitMs)
    while (this.#work.size > 0) await Promise.all(this.#work)
    clearTimeout(limit)
    this.#shutdown.enter('done')
    await this.logs.close()
  }

  /** Stops jobs without a grace period. Pending callbacks are left to the next start. */
  forceStop(): void {
    this.stop()
    this.#shutdown.enter('forcedStop')
  }

  #stopLate(limitMs: number): void {
    this.#log.warn(`The job still runs ${limitMs / 1_000} s after the agent was asked to shut down`)
    this.stop()
  }

  async #findInterrupted(): Promise<void> {
    const { config, logFor, metrics } = this.#options
    this.#interrupted = await InterruptedJobs.find({
      ...{ records: this.#records, kept: this.logs, metrics, logFor },
      attempts: config.callbackRetryAttempts,
      callbackDeadline: this.#shutdown.at('callbackDeadline'),
    })
    this.#currentId = this.#interrupted.last?.id
    this.#currentLog = this.#interrupted.last?.log
  }

  async #clear(): Promise<void> {
    const { home } = this.#options.config
    await Promise.all([
      this.#interrupted?.cleanUp(),
      recoverDeadRuns(home, this.#log),
      this.#orphanReaper.start(this.#interrupted?.executors ?? []),
      this.#prune(),
    ])
  }

  /** Logs that jobs still write to stay. */
  async #prune(): Promise<void> {
    await this.logs.prune(new Set([...this.#jobs.keys()].filter((id) => this.#isActive(id))))
  }

  /** Whether the job is running or being cleaned up. */
  #isActive(id: string): boolean {
    const job = this.#jobs.get(id)
    return job !== undefined && job.phase !== 'reporting'
  }

  #start(request: JobRequest, parts: JobParts): StartedJob {
    const log = this.#options.logFor(request.id)
    if (request.unknownKeys.length > 0) {
      log.warn(`Unknown keys in the job request are ignored: ${request.unknownKeys.join(', ')}`)
    }
    const path = this.logs.pathFor(request.id)
    const job = new parts.SupervisedJob({
      ...this.#shared(),
      ...{ request, log, logPath: path, recorded: this.#records.of(path) },
    })
    this.#jobs.set(request.id, job)
    this.#currentId = request.id
    this.#currentLog = undefined
    const opened = openLog(path)
    const jobLog = opened.then((log) => log.jobLog)
    this.logs.put(request.id, path, jobLog)
    this.#track(this.#run(job, opened))
    return { job, jobLog }
  }

  async #run(job: SupervisedJob, opened: Promise<OpenedLog>): Promise<void> {
    try {
      const { cleanupFailed } = await job.run(this.#makeReady(job, opened))
      if (cleanupFailed) void this.#orphanReaper.start([job.executor])
      await this.#prune()
      await this.#reportTeardown(job)
    } finally {
      this.#jobs.delete(job.id)
    }
  }

  async #makeReady(job: SupervisedJob, opened: Promise<OpenedLog>): Promise<OpenedLog> {
    const log = await opened
    this.#currentLog = log.jobLog
    if (log.obstacle !== undefined) this.logs.put(job.id, log.path, Promise.resolve(log.jobLog))
    await this.#cleared.promise
    return log
  }

  async #reportTeardown({ notifier }: InterruptedJob | SupervisedJob): Promise<void> {
    const { collectionTimeoutMs } = this.#options
    using deadline = new Deadline(collectionTimeoutMs, this.#shutdown.at('collectionDeadline'))
    await notifier.awaitCollection(deadline.signal)
    await notifier.reportTeardown()
  }

  #shared() {
    const { config, metrics, state } = this.#options
    return { config, metrics, instanceId: state.instance, shutdown: this.#shutdown }
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) =>
        this.#log.error(`Unexpected error while finishing a job: ${explain(error)}`),
      )
      .finally(() => this.#work.delete(tracked))
    this.#work.add(tracked)
  }
}

type JobParts = Awaited<ReturnType<typeof loadJobParts>>

/** Loaded late, so that a server is up sooner. */
async function loadJobParts() {
  const [{ parseJobRequestInSlices }, { SupervisedJob }] = await Promise.all([
    import('../request/parse-job-request.ts'),
    import('./supervised-job.ts'),
  ])
  return { parseJobRequestInSlices, SupervisedJob }
}
