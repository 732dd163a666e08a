/**
 * Walks one job through its plan, writes its log, and always clears up behind it.
 *
 * @module
 */

import { explain } from '../errors.ts'
import { EXIT_TRAP_TITLE, STEP_TITLES, TIME_LIMIT_TITLE } from '../events/block-titles.ts'
import type { EventSink, JobResult } from '../events/event.ts'
import type { Executor, OnOutput, RunOptions, WriteBlock } from '../executors/executor.ts'
import type { Logger } from '../log.ts'
import { readSmallFile } from '../read-bounded.ts'
import type { Command, EncodedVariable, JobRequest } from '../request/job-request.ts'
import { decodeVariables, foreseeExports, resultVariables } from './content.ts'
import { isUnforeseen, JobBlocks } from './job-blocks.ts'
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
import { askForResult, describeSelfStop, RESULT_QUERY } from './self-stop.ts'
import { requestedStop, StopReason } from './stop-reason.ts'
import { describeLimitReached, type TimeLimits, TimeLimitWatch } from './time-limits.ts'

export interface JobOptions {
  readonly request: JobRequest
  readonly executor: Executor
  readonly sink: EventSink
  /** Tells the control plane; awaited before `job_finished`. Never rejects. */
  readonly onResult: (result: JobResult) => Promise<void>
  readonly log: Logger
  readonly hooks?: Hooks
  /** The host's own, for every job; the request's win over them. */
  readonly hostVariables?: readonly EncodedVariable[]
  readonly limits?: TimeLimits
  /**
   * After a failure, once it is told and before anything of the job is removed: resolves when that
   * may happen. The signal is the job's stop. Not called when there is no shell to get into.
   */
  readonly hold?: ((signal: AbortSignal) => Promise<void>) | undefined
}

export class Job {
  readonly #options: JobOptions
  readonly #plan: Plan
  readonly #stop = new AbortController()
  readonly #blocks: JobBlocks
  readonly #watch: TimeLimitWatch
  #state: JobState = INITIAL_STATE
  #isPrepared = false
  #clearing: Promise<void> | undefined
  #cleanupFailed = false
  /** The last directive took its shell with it. */
  #shellExited = false

  constructor(options: JobOptions) {
    const { sink, log, limits = {} } = options
    this.#options = options
    this.#watch = new TimeLimitWatch(limits, (problem) => void this.#endAtLimit(problem))
    const onOutput = () => this.#watch.noteOutput()
    this.#blocks = new JobBlocks({ sink, log, signal: this.#stop.signal, onOutput })
    this.#plan = { ...options.request, hooks: options.hooks ?? {} }
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
   * Resolves when the job is over: told by the finished callback and in the log. Call once, and
   * {@link clear} after it. A log that can no longer be written fails the job; the agent's own log
   * says why, and so does the job's, if there is room for a last word.
   */
  async run(): Promise<JobResult> {
    const { onResult, hold } = this.#options
    const result = await this.#walkToResult()
    const isWhole = this.#isPrepared && !this.#stop.signal.aborted
    const isHeld = hold !== undefined && result === 'failed' && isWhole
    // The result is known: whoever waits for it does not wait for containers to be removed.
    if (!isHeld) void this.clear()
    await onResult(result)
    await this.#blocks.finish(result)
    if (isHeld) await this.#hold(hold)
    return result
  }

  /** Resolves when nothing of the job is left, or the agent's log says what is. Repeatable. */
  clear(): Promise<void> {
    this.#clearing ??= this.#dispose(this.#options.executor)
    return this.#clearing
  }

  async #hold(hold: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { executor, log } = this.#options
    const { signal } = this.#stop
    try {
      // The failed command may have taken the shell with it, and with the shell its container.
      await executor.run(':', { signal, onOutput: () => undefined })
      await hold(signal)
    } catch (error) {
      if (!signal.aborted) log.warn(`There is nothing left of the job to hold: ${explain(error)}`)
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
    await this.#block(TIME_LIMIT_TITLE, async (onOutput) => {
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
    const outcome = await this.#perform(step)
    return this.#stop.signal.aborted ? this.#stopped() : outcome
  }

  #stopped(): Outcome {
    const { result } = this.#stop.signal.reason as StopReason // of nobody but stop()
    return { kind: 'stopped', result }
  }

  async #perform(step: Step): Promise<Outcome> {
    switch (step.kind) {
      case 'prepare':
        return await this.#prepare()
      case 'export':
        return await this.#export()
      case 'inject':
        return await this.#inject()
      case 'command':
        return await this.#command(step.command)
      case 'hook':
        return await this.#hook(step.title, step.path)
      case 'check-result':
        return await this.#checkResult()
      case 'end-shell':
        return await this.#endShell()
      case 'export-result':
        return await this.#exportVariables(resultVariables(step.result))
    }
  }

  async #prepare(): Promise<Outcome> {
    const { executor } = this.#options
    const { commands, epilogueAlways, epilogueOnFail, epilogueOnPass } = this.#plan
    const directives = [...commands, ...epilogueAlways, ...epilogueOnPass, ...epilogueOnFail]
    try {
      const ready = await executor.prepare({
        signal: this.#stop.signal,
        block: this.#writeBlock,
        directives: [...directives.map(({ directive }) => directive), RESULT_QUERY],
        exports: await foreseeExports(this.#requestedVariables()),
      })
      this.#isPrepared = ready
      return ready ? { kind: 'passed' } : { kind: 'failed', exitCode: 1 }
    } catch (error) {
      if (isUnforeseen(error, this.#stop.signal)) this.#options.log.error(explain(error))
      if (this.#stop.signal.aborted) return this.#stopped()
      // No block of the executor's own could tell of it: this one does.
      await this.#block(STEP_TITLES.prepare, () => Promise.reject(error))
      return { kind: 'failed', exitCode: 1 }
    }
  }

  async #export(): Promise<Outcome> {
    return await this.#exportVariables(this.#requestedVariables())
  }

  #requestedVariables(): readonly EncodedVariable[] {
    const { request, hostVariables = [] } = this.#options
    return [...hostVariables, ...request.envVars]
  }

  async #exportVariables(encoded: readonly EncodedVariable[]): Promise<Outcome> {
    return await this.#block(STEP_TITLES.exportVariables, async (onOutput) => {
      const variables = await decodeVariables(encoded, onOutput)
      return await this.#options.executor.exportVariables(variables, this.#runOptions(onOutput))
    })
  }

  async #inject(): Promise<Outcome> {
    const { executor, request } = this.#options
    return await this.#block(STEP_TITLES.injectFiles, async (onOutput) => {
      return await executor.injectFiles(request.files, this.#runOptions(onOutput))
    })
  }

  async #command({ directive, alias }: Command): Promise<Outcome> {
    return await this.#block(alias || directive, async (onOutput) => {
      if (alias) await onOutput(`Running: ${directive}\n`)
      return await this.#runDirective(directive, onOutput)
    })
  }

  async #hook(title: string, path: string): Promise<Outcome> {
    return await this.#block(title, async (onOutput) => {
      let text: string
      try {
        text = readSmallFile(path)
      } catch (error) {
        await onOutput(`The hook ${path} cannot be read: ${(error as Error).message}\n`)
        return 1
      }
      return await this.#runDirective(text, onOutput)
    })
  }

  async #checkResult(): Promise<Outcome> {
    let value = ''
    const outcome = await this.#block(STEP_TITLES.checkResult, async (onOutput) => {
      value = await askForResult(this.#options.executor, this.#stop.signal)
      await onOutput(describeSelfStop(value))
      return 0
    })
    return outcome.kind === 'passed' ? { kind: 'checked', value } : outcome
  }

  /** Whatever comes of it, the result is known. A job that is held keeps its shell, too. */
  async #endShell(): Promise<Outcome> {
    const { executor, hold } = this.#options
    if (hold === undefined || this.#state.result !== 'failed') {
      await this.#blocks.writeIfAny(EXIT_TRAP_TITLE, (onOutput) =>
        executor.endShell(this.#runOptions(onOutput)),
      )
    }
    return { kind: 'passed' }
  }

  /** A dead shell fails its directive even when it left with 0: its state is gone (see lib/job/README.md). */
  async #runDirective(directive: string, onOutput: OnOutput): Promise<number> {
    const { executor } = this.#options
    const { exitCode, shellExited } = await executor.run(directive, this.#runOptions(onOutput))
    this.#shellExited = shellExited
    return exitCode
  }

  #runOptions(onOutput: OnOutput): RunOptions {
    return { signal: this.#stop.signal, onOutput }
  }

  readonly #writeBlock: WriteBlock = async (directive, work) => {
    const outcome = await this.#block(directive, work)
    return outcome.kind === 'passed'
  }

  async #block(directive: string, work: (onOutput: OnOutput) => Promise<number>): Promise<Outcome> {
    this.#shellExited = false
    const { exitCode, fault } = await this.#blocks.write(directive, work)
    if (fault !== undefined) return { kind: fault }
    return exitCode === 0 && !this.#shellExited ? { kind: 'passed' } : { kind: 'failed', exitCode }
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
