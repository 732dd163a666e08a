/**
 * Standard output as a reader of the log: it may be slow, and it may go away.
 *
 * @module
 */

import type { Writable } from 'node:stream'
import { onAbort } from '../async/abort.ts'
import { JobLogError } from '../errors.ts'

export interface OutputOptions {
  /** `process.stdout`; on Linux it never blocks the process on a full pipe (measured with Node 24). */
  readonly stream: Writable
  /** Aborted by a forced stop: the reader is no longer waited for, and gets only what it takes at once. */
  readonly forceStop: AbortSignal
}

/** A live reader takes the end of the log in far less. */
const FORCED_MS = 100

/**
 * A reader that has gone away (`agent run … | head`) is no failure: the job continues without it.
 */
export class StandardOutput {
  readonly #stream: Writable
  #failure: Error | undefined
  readonly #forceStop: AbortSignal
  #isOver = false
  /** Wakes whoever waits for the reader. */
  #wake: () => void = () => undefined

  constructor({ stream, forceStop }: OutputOptions) {
    this.#stream = stream
    stream.on('drain', () => this.#wake())
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') this.#failure ??= error
      this.#end()
    })
    this.#forceStop = forceStop
    onAbort(forceStop, () => this.#wake())
  }

  /**
   * @returns a promise when the reader is slower than the log: await it before writing on
   * @throws {JobLogError} when the text cannot be kept, e.g. on a full disk; also as a rejection
   */
  write(text: string): Promise<void> | void {
    this.#throwIfFailed()
    if (this.#isOver || this.#stream.write(text) || this.#forceStop.aborted) return
    return this.#drained()
  }

  /** Resolves when the reader has taken everything, or is gone. */
  async flush(): Promise<void> {
    if (!this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#stream.write('', () => resolve()) // after all that was written before
        if (this.#forceStop.aborted) setTimeout(resolve, FORCED_MS)
      })
    }
    this.#throwIfFailed()
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#throwIfFailed()
  }

  #end(): void {
    this.#isOver = true
    this.#wake()
  }

  #throwIfFailed(): void {
    if (this.#failure === undefined) return
    throw new JobLogError(
      `The log cannot be written to standard output: ${this.#failure.message}`,
      {
        hint: 'Free some space where standard output goes, or redirect it elsewhere.',
        cause: this.#failure,
      },
    )
  }
}
