/**
 * One job of an agent, from its id to a result that can be reported: it is fetched, it runs, its log is
 * pushed. Also a job that an earlier process began.
 *
 * @module
 */

import { LinkedAbort } from '../async/abort.ts'
import { explain } from '../errors.ts'
import { FETCH_TITLE } from '../events/block-titles.ts'
import type { JobResult } from '../events/event.ts'
import type { JobLog } from '../events/job-log.ts'
import { readResult } from '../events/job-result.ts'
import type { Logger } from '../log.ts'
import { createLogPusher } from '../log-push/create-log-pusher.ts'
import type { LogPusher } from '../log-push/log-pusher.ts'
import { isUploadDue } from '../log-upload/artifact-store.ts'
import { uploadJobLog } from '../log-upload/upload.ts'
import type { AddSecret } from '../masking/masking.ts'
import type { AgentMetrics } from '../metrics/hub-metrics.ts'
import type { JobRequest } from '../request/job-request.ts'
import { variablesOf } from '../settings/job-config.ts'
import { type Refusal, refuseJob } from '../supervisor/refused-job.ts'
import type { AgentMemory, KeptJob } from './agent-memory.ts'
import { CauseLog } from './cause-log.ts'
import type { RegisteredAgent } from './control-plane.ts'
import { fetchJob } from './fetch-job.ts'
import { type HubContext, logUrlOf } from './hub-context.ts'
import type { SyncState } from './state.ts'

export interface AssignedJobOptions {
  readonly context: HubContext
  readonly agent: RegisteredAgent
  readonly memory: AgentMemory
  readonly metrics: AgentMetrics
  readonly kept: KeptJob
  /** `resumed`: an earlier process had it. */
  readonly origin: 'new' | 'resumed'
  /** Why the job must not run although it was assigned to this agent. */
  readonly obstacle?: unknown
  /** Called with each change of {@link AssignedJob.state}. */
  readonly onChange: () => void
}

/** A job that has a log, complete or not. */
interface LoggedJob {
  /** Rejects when the log cannot be kept anywhere. */
  readonly jobLog: Promise<JobLog>
  /** Resolves when the job is over and its log complete. */
  readonly result: Promise<JobResult>
  readonly logUrl: string
  readonly request?: JobRequest
  /** Absent when nothing more is written to the log. */
  readonly addSecret?: AddSecret
}

const NEVER_BEGUN =
  'The agent was killed before the job began, and was started again: the job has failed.\n'
/** For a log that the control plane may never take. */
const FOREIGN_DELIVERY_MS = 60_000

const STOPPED = 'The job was stopped before it began.\n'

export class AssignedJob {
  readonly id: string
  readonly #options: AssignedJobOptions
  readonly #log: Logger
  readonly #stop = new AbortController()
  /** Aborted when nothing of the job needs to be reported any more. */
  readonly #lifetime = new AbortController()
  /** Aborted when the rest of its log need not be delivered. */
  readonly #delivery = new LinkedAbort(this.#lifetime.signal)
  #deliveryLimit: NodeJS.Timeout | undefined
  #isRunning: boolean
  /** Its log is complete and still has to be delivered. */
  #isOver = false
  #isDelivered = false
  #result: JobResult | undefined
  #endJob: () => void = () => undefined

  constructor(options: AssignedJobOptions) {
    this.#options = options
    this.id = options.kept.id
    this.#log = options.context.logFor(this.id)
    this.#isRunning = options.origin === 'resumed'
    if (options.kept.isDelivered) this.#result = options.kept.result
  }

  get state(): Pick<SyncState, 'job_id' | 'job_result' | 'state'> {
    const { id: job_id } = this
    if (this.#result !== undefined) {
      return { state: 'finished-job', job_id, job_result: this.#result }
    }
    if (this.#stop.signal.aborted) return { state: 'stopping-job', job_id, job_result: '' }
    return { state: this.#isRunning ? 'running-job' : 'starting-job', job_id, job_result: '' }
  }

  /** Set once all of it is over. */
  get result(): JobResult | undefined {
    return this.#result
  }

  /** Never rejects. Call once. Afterwards the result is set, and saved on disk. */
  async run(): Promise<void> {
    const { supervisor } = this.#options.context
    supervisor.logs.hold(this.id)
    if (this.#result !== undefined) return
    let result: JobResult = 'failed'
    try {
      result = await this.#runAndPush()
    } catch (error) {
      this.#log.error(`The job has failed: ${explain(error)}`)
    }
    clearTimeout(this.#deliveryLimit)
    this.#delivery[Symbol.dispose]()
    await this.#remember({ result, isDelivered: this.#isDelivered })
    this.#result = result
    this.#options.onChange()
  }

  /** Repeatable, at any time. @returns whether there was still something to stop */
  stop(): boolean {
    if (this.#stop.signal.aborted || this.#isOver) return false
    this.#stop.abort()
    this.#endJob()
    this.#options.onChange()
    return true
  }

  /** Its log is pushed for at most this long from now on; only the first limit counts. */
  limitDelivery(ms: number): void {
    this.#deliveryLimit ??= setTimeout(() => this.#delivery.abort(), ms)
  }

  /** The control plane is no longer interested in the job: {@link run} ends soon. */
  abandon(): void {
    this.#lifetime.abort()
    this.stop()
  }

  async #runAndPush(): Promise<JobResult> {
    const job = await this.#open()
    const jobLog = await job.jobLog.catch((error: unknown) => {
      this.#log.error(`The job has no log: ${explain(error)}`)
      return undefined
    })
    if (jobLog === undefined) return await job.result
    const pusher = this.#createPusher(jobLog, job)
    const stopCounting = this.#options.metrics.logBegan(pusher)
    const result = await job.result
    this.#isOver = true
    await this.#deliver(jobLog, pusher, job)
    stopCounting()
    return result
  }

  async #deliver(jobLog: JobLog, pusher: LogPusher, { request }: LoggedJob): Promise<void> {
    const { settings } = this.#options.context
    const { signal } = this.#delivery
    const finished = await pusher.finish({ timeoutMs: settings.logFlushTimeout, signal })
    const { isTrimmed, lines, delivered } = finished
    this.#isDelivered = isTrimmed || lines === delivered
    if (request === undefined || signal.aborted) return
    if (!isUploadDue(settings.uploadJobLogs, isTrimmed)) return
    const variables = variablesOf(settings.job, request.envVars)
    const { id: jobId } = request
    await uploadJobLog({ jobLog, jobId, variables, log: this.#log, signal })
  }

  async #open(): Promise<LoggedJob> {
    const { context, obstacle, origin } = this.#options
    if (obstacle !== undefined) return this.#refuse(`${explain(obstacle)}\n`)
    if (origin === 'resumed' || context.supervisor.logs.has(this.id)) return await this.#reopen()
    return await this.#fetch()
  }

  /** A job that ran here, to its own end or until an earlier process died. */
  async #reopen(): Promise<LoggedJob> {
    const { context, kept } = this.#options
    await context.supervisor.whenRecovered(this.id)
    const jobLog = await context.supervisor.logs.get(this.id)
    if (jobLog === undefined || !jobLog.finished) return this.#refuse(NEVER_BEGUN)
    return {
      jobLog: Promise.resolve(jobLog),
      result: Promise.resolve(kept.result ?? (await readResult(jobLog)) ?? 'failed'),
      logUrl: kept.logUrl ?? logUrlOf(context.settings, this.id),
    }
  }

  async #fetch(): Promise<LoggedJob> {
    const { agent } = this.#options
    const { signal } = this.#stop
    const causes = new CauseLog(this.#log, 'Fetching the job')
    try {
      const fetched = await fetchJob(this.id, {
        agent,
        signal,
        onFailure: (it) => causes.failed(it),
      })
      if (signal.aborted) return this.#refuse(STOPPED, 'stopped')
      if ('problem' in fetched) {
        this.#log.error(fetched.problem)
        if (fetched.isForeign) this.limitDelivery(FOREIGN_DELIVERY_MS)
        return this.#refuse(fetched.problem)
      }
      return await this.#start(fetched.request)
    } catch (error) {
      if (signal.aborted) return this.#refuse(STOPPED, 'stopped')
      throw error
    }
  }

  async #start(request: JobRequest): Promise<LoggedJob> {
    const { context, onChange } = this.#options
    const logUrl = request.logger.url ?? logUrlOf(context.settings, this.id)
    await this.#remember({ logUrl })
    const { job, jobLog } = await context.supervisor.run(request)
    this.#endJob = () => job.stop()
    if (this.#stop.signal.aborted) job.stop()
    this.#isRunning = true
    onChange()
    return { jobLog, result: job.over, logUrl, request, addSecret: job.addSecret }
  }

  #refuse(reason: string, result: Refusal['result'] = 'failed'): LoggedJob {
    const { context } = this.#options
    const refusal = { title: FETCH_TITLE, reason, result }
    return {
      jobLog: refuseJob(context.supervisor.logs, this.id, refusal),
      result: Promise.resolve(result),
      logUrl: logUrlOf(context.settings, this.id),
    }
  }

  #createPusher(jobLog: JobLog, { logUrl, request, addSecret }: LoggedJob): LogPusher {
    const { agent, context, kept } = this.#options
    return createLogPusher({
      ...{ jobLog, url: logUrl, client: context.client, log: this.#log },
      token: request?.logger.token ?? '', // without one, the first is requested
      refreshToken: async (signal) => {
        const token = await agent.refreshLogToken({ signal })
        addSecret?.(Buffer.from(token)) // as the one before
        return token
      },
      startFrom: kept.position,
      onPosition: (position) => this.#remember({ position }),
      signal: this.#lifetime.signal,
    })
  }

  async #remember(change: Omit<Partial<KeptJob>, 'id'>): Promise<void> {
    try {
      await this.#options.memory.updateJob(this.id, change)
    } catch (error) {
      this.#log.error(explain(error))
    }
  }
}
