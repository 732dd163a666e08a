/**
 * Carries out the steps of a job's plan, each in its block of the log.
 *
 * @module
 */

import { explain } from '../errors.ts'
import { EXIT_TRAP_TITLE, STEP_TITLES } from '../events/block-titles.ts'
import type { JobResult } from '../events/event.ts'
import type { Executor, OnOutput, RunOptions, WriteBlock } from '../executors/executor.ts'
import type { Logger } from '../log.ts'
import type { Command, EncodedVariable, JobRequest } from '../request/job-request.ts'
import { decodeVariables, foreseeExports, resultVariables } from './content.ts'
import { readyHook } from './hook.ts'
import { isUnforeseen, type JobBlocks } from './job-blocks.ts'
import type { HookStep, Outcome, Step } from './plan.ts'
import { askForResult, describeSelfStop, RESULT_QUERY } from './self-stop.ts'

export interface JobStepsOptions {
  readonly request: JobRequest
  readonly executor: Executor
  readonly blocks: JobBlocks
  readonly log: Logger
  /** To be exported; of two with the same name the later one counts. Default: the request's. */
  readonly variables?: readonly EncodedVariable[]
  /** Lines about secrets of the job that cannot be masked everywhere. */
  readonly exposed?: readonly string[]
  /** Somebody may want to look at a failed job in its shell. */
  readonly keepsFailedShell: boolean
  /** The job's stop: an outcome does not count once it is aborted. */
  readonly signal: AbortSignal
}

export class JobSteps {
  readonly #options: JobStepsOptions
  #isPrepared = false
  /** The last directive ended its shell. */
  #shellExited = false

  constructor(options: JobStepsOptions) {
    this.#options = options
  }

  /** There is a shell to run commands in. */
  get isPrepared(): boolean {
    return this.#isPrepared
  }

  /** @param result of the job so far */
  async perform(step: Step, result: JobResult | undefined): Promise<Outcome> {
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
        return await this.#hook(step)
      case 'check-result':
        return await this.#checkResult()
      case 'end-shell':
        return await this.#endShell(result)
      case 'export-result':
        return await this.#exportVariables(resultVariables(step.result))
    }
  }

  async #prepare(): Promise<Outcome> {
    const { executor, log, request, signal } = this.#options
    const { commands, epilogueAlways, epilogueOnFail, epilogueOnPass } = request
    const directives = [...commands, ...epilogueAlways, ...epilogueOnPass, ...epilogueOnFail]
    try {
      const ready = await executor.prepare({
        signal,
        block: this.#writeBlock,
        directives: [...directives.map(({ directive }) => directive), RESULT_QUERY],
        exports: await foreseeExports(this.#variables),
      })
      this.#isPrepared = ready
      return ready ? { kind: 'passed' } : { kind: 'failed', exitCode: 1 }
    } catch (error) {
      if (isUnforeseen(error, signal)) log.error(explain(error))
      // The executor has no block of its own that could report it, so this one does.
      if (!signal.aborted) await this.#block(STEP_TITLES.prepare, () => Promise.reject(error))
      return { kind: 'failed', exitCode: 1 }
    }
  }

  async #export(): Promise<Outcome> {
    return await this.#exportVariables(this.#variables, this.#options.exposed)
  }

  get #variables(): readonly EncodedVariable[] {
    const { request, variables = request.envVars } = this.#options
    return variables
  }

  async #exportVariables(
    encoded: readonly EncodedVariable[],
    remarks: readonly string[] = [],
  ): Promise<Outcome> {
    return await this.#block(STEP_TITLES.exportVariables, async (onOutput) => {
      const variables = await decodeVariables(encoded, onOutput)
      for (const remark of remarks) await onOutput(remark)
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

  async #hook(step: HookStep): Promise<Outcome> {
    const { executor } = this.#options
    return await this.#block(step.title, async (onOutput) => {
      const directive = await readyHook(step, executor, this.#runOptions(onOutput))
      return directive === undefined ? 1 : await this.#runDirective(directive, onOutput)
    })
  }

  async #checkResult(): Promise<Outcome> {
    let value = ''
    const outcome = await this.#block(STEP_TITLES.checkResult, async (onOutput) => {
      value = await askForResult(this.#options.executor, this.#options.signal)
      await onOutput(describeSelfStop(value))
      return 0
    })
    return outcome.kind === 'passed' ? { kind: 'checked', value } : outcome
  }

  /** The result is already known, whatever happens here. A job that is held keeps its shell. */
  async #endShell(result: JobResult | undefined): Promise<Outcome> {
    const { executor, blocks, keepsFailedShell } = this.#options
    if (!keepsFailedShell || result !== 'failed') {
      await blocks.writeIfAny(EXIT_TRAP_TITLE, (onOutput) =>
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
    return { signal: this.#options.signal, onOutput }
  }

  readonly #writeBlock: WriteBlock = async (directive, work) => {
    const outcome = await this.#block(directive, work)
    return outcome.kind === 'passed'
  }

  async #block(directive: string, work: (onOutput: OnOutput) => Promise<number>): Promise<Outcome> {
    this.#shellExited = false
    const { exitCode, fault } = await this.#options.blocks.write(directive, work)
    if (fault !== undefined) return { kind: fault }
    return exitCode === 0 && !this.#shellExited ? { kind: 'passed' } : { kind: 'failed', exitCode }
  }
}
