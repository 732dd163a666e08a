/**
 * The blocks of a job's log: at most one is open, and each is ended, even when the work in it or the log
 * itself has failed.
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
  /** Applied to everything that is written to the log. */
  readonly masking: Masking
  /** The agent's own, for problems that the job's author cannot fix. */
  readonly log: Logger
  /** Aborted when the job is stopped: an open block then ends with 1. */
  readonly signal: AbortSignal
  /** Called for everything that is written to the log. */
  readonly onOutput: () => void
}

/** The block that is being filled. */
export interface OpenBlock {
  readonly directive: string
  /** In whole Unix seconds, as in the log. */
  readonly startedAt: number
  /** On the clock of `performance.now()`. */
  readonly since: number
}

/** How a block ended. */
export interface BlockEnd {
  readonly exitCode: number
  /**
   * Why the work of the block could not be done, if that is not the job's fault: `undone`, only this
   * time; `lost`, the executor can do nothing more.
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
      working.catch(() => undefined) // ends by itself once the job is cleaned up
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
      block.catch(opened.reject) // when the log cannot be written, whoever awaits the block gets the error
      await (await opened.promise)(bytes)
    })
    const { log, signal } = this.#options
    await working.catch((error: unknown) => {
      if (block === undefined && !signal.aborted) log.warn(`${directive} failed: ${explain(error)}`)
    })
    await block
  }

  /** The log has failed, perhaps in the middle of a block: says so, if there is still room. */
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

/** Neither an error the agent raised on purpose nor a consequence of the stop: the agent's log needs it. */
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
