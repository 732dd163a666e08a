/**
 * Walks one job through its plan, writes its log, and always clears up behind it.
 *
 * @module
 */

import { Deadline } from '../async/abort.ts'
import { explain } from '../errors.ts'
import { TIME_LIMIT_TITLE } from '../events/block-titles.ts'
import type { EventSink, JobResult } from '../events/event.ts'
import type { Executor } from '../executors/executor.ts'
import type { Logger } from '../log.ts'
import type { Masking } from '../masking/masking.ts'
import type { EncodedVariable, JobRequest } from '../request/job-request.ts'
import { JobBlocks } from './job-blocks.ts'
import { JobSteps } from './job-steps.ts'
import {
  advance,
  type Hooks,
  INITIAL_STATE,
  type JobState,
  nextStep,
  type Outcome,
  type Plan,
  type Step,
} from './plan.ts'
import { requestedStop, StopReason } from './stop-reason.ts'
import { describeLimitReached, type TimeLimits, TimeLimitWatch } from './time-limits.ts'

export interface JobOptions {
  readonly request: JobRequest
  readonly executor: Executor
  readonly sink: EventSink
  /** Of all that comes into the log. */
  readonly masking: Masking
  /** What of the job's secrets is not masked: lines. */
  readonly exposed?: readonly string[]
  /** Tells the control plane; awaited before `job_finished`. Never rejects. */
  readonly onResult: (result: JobResult) => Promise<void>
  readonly log: Logger
  readonly hooks?: Hooks
  /** Whether commands run after one that has failed. Default false. */
  readonly keepsGoing?: boolean
  /** To be exported; of two with one name the later counts. Default: the request's. */
  readonly variables?: readonly EncodedVariable[]
  readonly limits?: TimeLimits
  /** After a failure: told which services have ended, a line for each. */
  readonly onDeadServices?: ((lines: readonly string[]) => void) | undefined
  /**
   * After a failure, once it is reported and before anything of the job is removed: resolves when that
   * may happen. The signal is the job's stop. Not called when there is no shell to get into.
   */
  readonly hold?: ((signal: AbortSignal) => Promise<void>) | undefined
}

/** For an engine that hangs, perhaps the very reason of the failure. */
const LOOK_LIMIT_MS = 5_000

/** Looking for a job's processes takes the event loop for milliseconds: to tell of the result comes first. */
const HEAD_START_MS = 50

/** A service may put out megabytes without a line break. */
const MAX_LINE_CHARACTERS = 500

export class Job {
  readonly #options: JobOptions
  readonly #plan: Plan
  readonly #stop = new AbortController()
  readonly #blocks: JobBlocks
  readonly #steps: JobSteps
  readonly #watch: TimeLimitWatch
  #state: JobState = INITIAL_STATE
  #clearing: Promise<void> | undefined
  #cleanupFailed = false

  constructor(options: JobOptions) {
    const { sink, masking, log, hold, limits = {} } = options
    const { signal } = this.#stop
    this.#options = options
    this.#watch = new TimeLimitWatch(limits, (problem) => void this.#endAtLimit(problem))
    const onOutput = () => this.#watch.noteOutput()
    this.#blocks = new JobBlocks({ sink, masking, log, signal, onOutput })
    const { keepsGoing, hooks = {} } = options
    this.#plan = { ...options.request, hooks, keepsGoing }
    const keepsFailedShell = hold !== undefined
    this.#steps = new JobSteps({ ...options, blocks: this.#blocks, signal, keepsFailedShell })
  }

  get id(): string {
    return this.#options.request.id
  }

  get state(): JobState {
    return this.#state
  }

  /**
   * The running command is ended, nothing more runs, the result is the reason's. Repeatable: the
   * first reason counts.
   */
  stop(reason = requestedStop()): void {
    this.#stop.abort(reason)
  }

  /** Something the job made could not be removed; the agent's log says what. */
  get cleanupFailed(): boolean {
    return this.#cleanupFailed
  }

  /**
   * Resolves when the job is over: reported by the finished callback and in the log. Call once, and
   * {@link clear} after it. A log that can no longer be written fails the job; the agent's own log
   * says why, and so does the job's, if there is room for a last word.
   */
  async run(): Promise<JobResult> {
    const { onResult, hold } = this.#options
    const result = await this.#walkToResult()
    const isWhole = this.#steps.isPrepared && !this.#stop.signal.aborted
    const isHeld = hold !== undefined && result === 'failed' && isWhole
    if (result === 'failed' && isWhole) await this.#lookAtServices()
    // The result is known: nobody waits for containers to be removed, nor does that wait for a slow callback.
    const clearing = isHeld ? undefined : setTimeout(() => void this.clear(), HEAD_START_MS)
    await onResult(result)
    await this.#blocks.finish(result)
    clearTimeout(clearing)
    if (isHeld) await this.#hold(hold)
    return result
  }

  /** Resolves when nothing of the job is left, or the agent's log says what is. Repeatable. */
  clear(): Promise<void> {
    this.#clearing ??= this.#dispose(this.#options.executor)
    return this.#clearing
  }

  async #lookAtServices(): Promise<void> {
    const { executor, onDeadServices, masking, log } = this.#options
    if (onDeadServices === undefined) return
    using deadline = new Deadline(LOOK_LIMIT_MS)
    try {
      const lines = (await executor.describeDeadServices?.(deadline.signal)) ?? []
      // In this order: a secret that is cut in two is not recognized.
      onDeadServices(lines.map((line) => masking.mask(line).slice(0, MAX_LINE_CHARACTERS)))
    } catch (error) {
      log.warn(`The services of the job could not be looked at: ${explain(error)}`)
    }
  }

  async #hold(hold: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { executor, log } = this.#options
    const { signal } = this.#stop
    try {
      // The failed command may have taken the shell with it, and with the shell its container.
      await executor.run(':', { signal, onOutput: () => undefined })
      await hold(signal)
    } catch (error) {
      if (!signal.aborted) log.warn(`The failed job cannot be held: ${explain(error)}`)
    }
  }

  async #walkToResult(): Promise<JobResult> {
    try {
      await this.#blocks.start()
      this.#watch.start()
      await this.#walk()
      await this.#reportStop()
      return this.#state.result ?? 'failed'
    } catch (error) {
      await this.#blocks.abandon(error)
      return 'failed'
    } finally {
      this.#watch.end()
    }
  }

  /** Looks at what runs before it is ended. */
  async #endAtLimit(problem: string): Promise<void> {
    const { executor } = this.#options
    const report = await describeLimitReached(problem, this.#blocks.open, executor)
    if (this.#state.phase !== 'done') this.stop(new StopReason(problem, 'failed', report))
  }

  async #reportStop(): Promise<void> {
    if (!this.#stop.signal.aborted) return
    const { message, report } = this.#stop.signal.reason as StopReason // of nobody but stop()
    if (report === undefined) return
    await this.#blocks.write(TIME_LIMIT_TITLE, async (onOutput) => {
      for (const line of report) await onOutput(line)
      return 1
    })
    this.#options.log.info(`The job was ended: ${message}`)
  }

  async #walk(): Promise<void> {
    let step = nextStep(this.#plan, this.#state)
    while (step !== undefined) {
      const outcome = await this.#take(step)
      this.#state = advance(this.#plan, this.#state, outcome)
      step = nextStep(this.#plan, this.#state)
    }
  }

  async #take(step: Step): Promise<Outcome> {
    if (this.#stop.signal.aborted) return this.#stopped()
    const outcome = await this.#steps.perform(step, this.#state.result)
    return this.#stop.signal.aborted ? this.#stopped() : outcome
  }

  #stopped(): Outcome {
    const { result } = this.#stop.signal.reason as StopReason // of nobody but stop()
    return { kind: 'stopped', result }
  }

  async #dispose(executor: Executor): Promise<void> {
    try {
      await executor.dispose()
    } catch (error) {
      // The job's result stands; what is left behind is for the host's owner to know.
      this.#cleanupFailed = true
      this.#options.log.error(`Cleaning up after the job failed: ${explain(error)}`)
    }
  }
}
