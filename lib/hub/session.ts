/**
 * One registration at work: its syncs, what it does about the answers, its job.
 *
 * @module
 */

import { LinkedAbort } from '../async/abort.ts'
import { ControlPlaneError, explain } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import { type Logger, oneLine } from '../log.ts'
import type { AgentMetrics } from '../metrics/hub-metrics.ts'
import { nowInSeconds } from '../time.ts'
import type { AgentMemory, KeptJob } from './agent-memory.ts'
import { AssignedJob } from './assigned-job.ts'
import { CauseLog } from './cause-log.ts'
import type { RegisteredAgent } from './control-plane.ts'
import type { HubContext } from './hub-context.ts'
import { type FailedSync, Silence } from './silence.ts'
import { react, type ShutdownReason, type SyncAnswer, type SyncState } from './state.ts'
import { SyncLoop } from './sync-loop.ts'

export interface SessionOptions {
  readonly context: HubContext
  readonly agent: RegisteredAgent
  readonly memory: AgentMemory
  readonly log: Logger
  readonly metrics: AgentMetrics
  /** The registration is given up as soon as there is no job. */
  readonly isOutdated: boolean
}

/** `unknown`: the control plane does not know the agent any more; `silent`: interrupted, and out of contact. */
export type SessionEnd =
  | { readonly kind: 'outdated' | 'silent' | 'unknown' }
  | { readonly kind: 'shutdown'; readonly reason: ShutdownReason }

/** After an error, or when the control plane names no interval. */
const PAUSE_MS = { least: 3_000, most: 6_000 }

/** For one call of an agent that was told to end: it does not wait for an unresponsive server. */
const HURRIED_CALL_MS = 5_000
const HURRIED_PAUSE_MS = 1_000

/** For the rest of a log that the control plane may no longer want. */
const LAST_DELIVERY_MS = 10_000

export class Session {
  readonly #options: SessionOptions
  readonly #loop = new SyncLoop(() => this.#sync())
  readonly #end = Promise.withResolvers<SessionEnd>()
  readonly #ended = new AbortController()
  readonly #causes: CauseLog
  readonly #strange = new Set<string>()
  readonly #silence: Silence
  readonly #results: JobResult[] = []
  #job: { readonly assigned: AssignedJob; readonly over: Promise<void> } | undefined
  #interruptedAt = 0
  #graceTimer: NodeJS.Timeout | undefined
  /** Of the sync that is under way. */
  #call: LinkedAbort | undefined
  /** Set when a shutdown was requested during a job: the job ends first. */
  #shutdown: ShutdownReason | undefined

  constructor(options: SessionOptions) {
    const { context, log } = options
    this.#options = options
    this.#causes = new CauseLog(log, 'The sync')
    const { isOutdated } = options
    this.#silence = new Silence({
      log,
      graceMs: context.settings.interruptionGracePeriod,
      isOutdated,
    })
  }

  /** Results of the jobs that were acknowledged. */
  get results(): readonly JobResult[] {
    return this.#results
  }

  /** Never rejects. */
  async run(): Promise<SessionEnd> {
    const { memory, metrics } = this.#options
    const { job } = memory
    if (job !== undefined) this.#begin(job, 'resumed')
    const loop = this.#loop.run(this.#ended.signal)
    const end = await this.#end.promise
    this.#ended.abort()
    clearTimeout(this.#graceTimer)
    await loop
    metrics.ended()
    return end
  }

  /** The first signal: the control plane decides what to do about it. */
  interrupt(): void {
    this.#interruptedAt = nowInSeconds()
    this.#silence.interrupt()
    const { interruptionGracePeriod: graceMs } = this.#options.context.settings
    this.#graceTimer = setTimeout(() => {
      if (this.#state.state === 'running-job') this.#loop.wake() // nobody has stopped it yet
    }, graceMs)
    this.#call?.abort() // it says something else, and may be one that is never answered
    this.#loop.wake()
  }

  /** The second signal. */
  stopNow(): void {
    this.#job?.assigned.stop()
    this.#job?.assigned.limitDelivery(LAST_DELIVERY_MS)
  }

  get #state(): SyncState {
    const interrupted_at = this.#interruptedAt
    const job = this.#job?.assigned.state
    return { state: 'waiting-for-jobs', job_id: '', job_result: '', ...job, interrupted_at }
  }

  /** @returns ms to the next one */
  async #sync(): Promise<number> {
    const { agent, metrics } = this.#options
    const sent = this.#state
    const hurried = this.#interruptedAt > 0 ? { timeoutMs: HURRIED_CALL_MS } : {}
    using call = new LinkedAbort(this.#ended.signal)
    this.#call = call
    let answer: SyncAnswer
    try {
      answer = await agent.sync(sent, { signal: call.signal, ...hurried })
    } catch (error) {
      if (call.signal.aborted) return 0
      metrics.syncFailed(error instanceof ControlPlaneError ? error.status : undefined)
      return await this.#fail(error)
    }
    metrics.synced()
    this.#causes.succeeded()
    this.#silence.end()
    await this.#follow(sent, answer)
    return answer.nextSyncAfter ?? randomPause()
  }

  async #follow(sent: SyncState, answer: SyncAnswer): Promise<void> {
    const reaction = react(sent, answer)
    switch (reaction.kind) {
      case 'start':
        return await this.#start(reaction.jobId)
      case 'stop':
        return this.#stop('The control plane has stopped the job')
      case 'acknowledged':
        return await this.#forget()
      case 'abandon':
        this.#options.log.warn('The control plane no longer knows the job: it is stopped')
        return await this.#abandon()
      case 'shutdown':
        return await this.#shutDown(sent, reaction.reason)
      case 'strange':
        return this.#ignore(reaction.what)
      case 'none': {
        const isIdle = sent.interrupted_at > 0 && this.#job === undefined
        if (isIdle) this.#finish({ kind: 'shutdown', reason: 'INTERRUPTED' })
      }
    }
  }

  async #start(id: string): Promise<void> {
    const { log, memory } = this.#options
    log.info(`The control plane has assigned the job ${oneLine(id)}`)
    const kept = { id, position: 0 }
    let obstacle: unknown
    try {
      await memory.setJob(kept)
    } catch (error) {
      obstacle = error
    }
    this.#begin(kept, 'new', obstacle)
    this.#loop.wake()
  }

  #begin(kept: KeptJob, origin: 'new' | 'resumed', obstacle?: unknown): void {
    const { context, agent, memory, metrics } = this.#options
    const onChange = () => this.#loop.wake()
    const assigned = new AssignedJob({
      ...{ context, agent, memory, metrics, kept, origin, obstacle, onChange },
    })
    this.#job = { assigned, over: assigned.run() }
  }

  #stop(why: string): void {
    if (this.#job?.assigned.stop()) this.#options.log.info(why)
  }

  /** The control plane knows that the job is over: it must be forgotten before the next sync is sent. */
  async #forget(): Promise<void> {
    const { context, isOutdated, log, memory } = this.#options
    const { assigned } = this.#job ?? {}
    if (assigned?.result !== undefined) this.#results.push(assigned.result)
    await memory.setJob(undefined).catch((error: unknown) => log.error(explain(error)))
    if (assigned !== undefined) context.supervisor.logs.release(assigned.id)
    this.#job = undefined
    const reason = this.#shutdown ?? this.#ownReason()
    if (reason !== undefined) return this.#finish({ kind: 'shutdown', reason })
    if (isOutdated) return this.#finish({ kind: 'outdated' })
    this.#loop.wake()
  }

  /** An agent for one job must not sync that it waits: it would get another job. */
  #ownReason(): ShutdownReason | undefined {
    if (this.#interruptedAt > 0) return 'INTERRUPTED'
    return this.#options.context.settings.disconnectAfterJob ? 'JOB_FINISHED' : undefined
  }

  async #abandon(): Promise<void> {
    this.#job?.assigned.abandon()
    await this.#job?.over
    await this.#forget()
  }

  async #shutDown(sent: SyncState, reason: ShutdownReason): Promise<void> {
    this.#shutdown = reason
    if (this.#job === undefined) return this.#finish({ kind: 'shutdown', reason })
    if (sent.state === 'finished-job') return await this.#forget()
    this.#stop('The control plane shuts the agent down: its job is stopped')
  }

  #ignore(what: string): void {
    if (this.#strange.has(what) || this.#strange.size > MAX_STRANGE) return
    this.#strange.add(what)
    this.#options.log.warn(`The control plane’s answer is ignored: ${oneLine(what)}`)
  }

  /** @returns ms to the next sync */
  async #fail(error: unknown): Promise<number> {
    this.#causes.failed(error)
    const isUnknown = error instanceof ControlPlaneError && error.status === 404
    switch (this.#silence.judge({ isUnknown, job: this.#phase })) {
      case 'unknown':
        await this.#giveUpJob()
        this.#finish({ kind: 'unknown' })
        break
      case 'stop-job':
        this.#stop(
          'The control plane does not answer, and the grace period is over: the job is stopped',
        )
        this.#job?.assigned.limitDelivery(LAST_DELIVERY_MS)
        break
      case 'give-up':
        this.#finish({ kind: 'silent' })
    }
    return this.#interruptedAt > 0 ? HURRIED_PAUSE_MS : randomPause()
  }

  get #phase(): FailedSync['job'] {
    if (this.#job === undefined) return 'none'
    return this.#job.assigned.result === undefined ? 'going' : 'over'
  }

  async #giveUpJob(): Promise<void> {
    if (this.#job === undefined) return
    const { context, log } = this.#options
    const { assigned, over } = this.#job
    const why = 'the control plane has lost contact with this agent and failed its job'
    log.error(`The job ${oneLine(assigned.id)} is stopped and not reported: ${why}`)
    assigned.abandon()
    await over
    context.supervisor.logs.release(assigned.id)
    this.#job = undefined
  }

  #finish(end: SessionEnd): void {
    this.#end.resolve(end)
    this.#ended.abort()
  }
}

const MAX_STRANGE = 20

function randomPause(): number {
  return PAUSE_MS.least + Math.random() * (PAUSE_MS.most - PAUSE_MS.least)
}
