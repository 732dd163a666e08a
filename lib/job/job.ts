/**
 * Takes one job through its plan, writes its log, and always cleans up after it.
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
  /** Applied to everything that is written to the log. */
  readonly masking: Masking
  /** Lines about secrets of the job that cannot be masked everywhere. */
  readonly exposed?: readonly string[]
  /** Reports to the control plane; awaited before `job_finished`. Never rejects. */
  readonly onResult: (result: JobResult) => Promise<void>
  readonly log: Logger
  readonly hooks?: Hooks
  /** Whether commands run after one that has failed. Default false. */
  readonly keepsGoing?: boolean
  /** To be exported; of two with the same name the later one counts. Default: the request's. */
  readonly variables?: readonly EncodedVariable[]
  readonly limits?: TimeLimits
  /** Called after a failure with a line for each service that has ended. */
  readonly onDeadServices?: ((lines: readonly string[]) => void) | undefined
  /**
   * Called after a failure has been reported, before anything of the job is removed; resolves when it may
   * be. The signal is the job's stop. Not called when there is no shell to attach to.
   */
  readonly hold?: ((signal: AbortSignal) => Promise<void>) | undefined
}

/** Limits the wait for a hanging engine, which may be the reason for the failure. */
const LOOK_LIMIT_MS = 5_000

/** Searching for a job's processes blocks the event loop for milliseconds: the result is reported first. */
const HEAD_START_MS = 50

/** A service may print megabytes without a line break. */
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
   * Ends the running command; nothing else runs, and the reason determines the result. Repeatable: the
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
   * says why, and so does the job's, if there is still room.
   */
  async run(): Promise<JobResult> {
    const { onResult, hold } = this.#options
    const result = await this.#walkToResult()
    const isWhole = this.#steps.isPrepared && !this.#stop.signal.aborted
    const isHeld = hold !== undefined && result === 'failed' && isWhole
    if (result === 'failed' && isWhole) await this.#lookAtServices()
    // The result is known: reporting does not wait for containers to be removed, nor removing for a callback.
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
      // Mask first, then cut: half a secret would not be recognized.
      onDeadServices(lines.map((line) => masking.mask(line).slice(0, MAX_LINE_CHARACTERS)))
    } catch (error) {
      log.warn(`The services of the job could not be examined: ${explain(error)}`)
    }
  }

  async #hold(hold: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { executor, log } = this.#options
    const { signal } = this.#stop
    try {
      // The failed command may have ended the shell, and the shell its container.
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

  /** Describes what is running before it is ended. */
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
      // The job's result stands; the host's owner has to know what is left behind.
      this.#cleanupFailed = true
      this.#options.log.error(`Cleaning up after the job failed: ${explain(error)}`)
    }
  }
}
