/**
 * A job's log as the blocks it is made of: at most one is open, and each gets its end, also when
 * what was to fill it failed, or the log itself.
 *
 * @module
 */

import {
  AgentError,
  ContentError,
  explain,
  messageOf,
  UndeliveredError,
  withCode,
} from '../errors.ts'
import { isOwnTitle } from '../events/block-titles.ts'
import { blockEnd, type EventSink, type JobEvent, type JobResult } from '../events/event.ts'
import type { OnOutput } from '../executors/executor.ts'
import type { Logger } from '../log.ts'
import type { Masking } from '../masking/masking.ts'
import { nowInSeconds } from '../time.ts'
import { BlockWriter } from './block.ts'

export interface JobBlocksOptions {
  readonly sink: EventSink
  /** Of all that comes into the log. */
  readonly masking: Masking
  /** The agent's own, for what the job's author cannot mend. */
  readonly log: Logger
  /** Of the job's stop: a block that is open then ends with 1. */
  readonly signal: AbortSignal
  /** Called for whatever comes into the log. */
  readonly onOutput: () => void
}

/** The block that is being filled. */
export interface OpenBlock {
  readonly directive: string
  /** In whole seconds, as the log has it. */
  readonly startedAt: number
  /** On the clock of `performance.now()`. */
  readonly since: number
}

/** How a block ended. */
export interface BlockEnd {
  readonly exitCode: number
  /**
   * What kept the block from being filled, if it was not the job's own mistake: `undone`, this once;
   * `lost`, what was to fill it can do nothing more.
   */
  readonly fault?: 'lost' | 'undone' | undefined
}

export class JobBlocks {
  readonly #options: JobBlocksOptions
  #open: OpenBlock | undefined

  constructor(options: JobBlocksOptions) {
    this.#options = options
  }

  get open(): OpenBlock | undefined {
    return this.#open
  }

  /** @throws what the sink throws, as {@link write} does */
  async start(): Promise<void> {
    await this.#options.sink.write({ event: 'job_started', timestamp: nowInSeconds() })
  }

  /**
   * @param work what fills the block; its error becomes the block's last output
   * @throws what the sink throws when the log can no longer be kept; see {@link abandon}
   */
  async write(title: string, work: (onOutput: OnOutput) => Promise<number>): Promise<BlockEnd> {
    const { sink, log, masking, signal, onOutput } = this.#options
    const directive = isOwnTitle(title) ? title : masking.mask(title)
    const writer = new BlockWriter(sink, directive, masking)
    this.#open = { directive, startedAt: nowInSeconds(), since: performance.now() }
    onOutput()
    await writer.start()
    let exitCode = 1
    let fault: BlockEnd['fault']
    try {
      const working = work((output) => {
        onOutput()
        return writer.push(output)
      })
      working.catch(() => undefined) // ends by itself once the job is cleared away
      exitCode = await Promise.race([working, writer.failed])
    } catch (error) {
      if (!(error instanceof ContentError)) {
        fault = error instanceof UndeliveredError ? 'undone' : 'lost'
      }
      if (!signal.aborted) for (const line of describeFailure(error)) await writer.push(line)
      if (isUnforeseen(error, signal)) log.error(explain(error))
    }
    if (signal.aborted) exitCode = 1
    await writer.finish(exitCode)
    this.#open = undefined
    return { exitCode, fault }
  }

  /** As {@link write}, but there is a block only when there is output for it. */
  async writeIfAny(
    directive: string,
    work: (onOutput: OnOutput) => Promise<number>,
  ): Promise<void> {
    const opened = Promise.withResolvers<OnOutput>()
    let block: Promise<BlockEnd> | undefined
    const working = work(async (bytes) => {
      block ??= this.write(directive, (onOutput) => {
        opened.resolve(onOutput)
        return working
      })
      block.catch(opened.reject) // a log that cannot be written: whoever waits for the block hears it
      await (await opened.promise)(bytes)
    })
    const { log, signal } = this.#options
    await working.catch((error: unknown) => {
      if (block === undefined && !signal.aborted) log.warn(`${directive} failed: ${explain(error)}`)
    })
    await block
  }

  /** The log has failed, maybe in the middle of a block: says so, if there is room for it. */
  async abandon(error: unknown): Promise<void> {
    this.#options.log.error(`The job fails: ${explain(error)}`)
    if (this.#open === undefined) return
    const { directive, startedAt } = this.#open
    const timestamp = nowInSeconds()
    for (const output of describeFailure(error)) {
      const masked = this.#options.masking.mask(output)
      await this.#writeLast({ event: 'cmd_output', timestamp, output: masked })
    }
    await this.#writeLast(blockEnd({ directive, timestamp: startedAt }, 1))
  }

  async finish(result: JobResult): Promise<void> {
    await this.#writeLast({ event: 'job_finished', timestamp: nowInSeconds(), result })
  }

  async #writeLast(event: JobEvent): Promise<void> {
    try {
      await this.#options.sink.write(event)
    } catch (error) {
      this.#options.log.error(
        `The job's log is missing its ${event.event} event: ${explain(error)}`,
      )
    }
  }
}

/** Neither the agent's own word nor an echo of the stop: something for its log. */
export function isUnforeseen(error: unknown, stop: AbortSignal): boolean {
  if (error instanceof AgentError) return false
  const isEcho = error === stop.reason || (error instanceof Error && error.cause === stop.reason)
  return !stop.aborted || !isEcho
}

/** @returns lines */
function describeFailure(error: unknown): readonly string[] {
  if (error instanceof AgentError) return [`${withCode(error)}\n`, `${error.hint}\n`]
  return [`The agent failed: ${messageOf(error)}\n`, 'See its own log for details.\n']
}
