/**
 * How much of a log goes into one request, and reading that much.
 *
 * @module
 */

import type { Place } from '../events/job-log-index.ts'
import type { ReadableLog } from '../events/job-log-reader.ts'

/** The server's own bounds for one request. @see lib/log-push/README.md */
const MAX_LINES = 2_000
const MAX_BYTES = 1_000_000

const NEWLINE = 0x0a

export interface Batch {
  /** Whole lines. */
  readonly bytes: Uint8Array
  readonly lines: number
}

/**
 * Halved when a batch fails, since an overloaded server copes better with less; doubled with each success.
 * A size that was refused as too large is not tried again.
 */
export class BatchSize {
  #share = 1
  #largestShare = 1

  get lines(): number {
    return Math.max(1, Math.floor(MAX_LINES * this.#share))
  }

  get bytes(): number {
    return Math.max(1, Math.floor(MAX_BYTES * this.#share))
  }

  halve(): void {
    this.#share = Math.max(this.#share / 2, 1 / MAX_LINES)
  }

  /** @param batch the refused one: none of its size is sent any more */
  refuse({ bytes }: Batch): void {
    this.#share = Math.min(this.#share, bytes.length / MAX_BYTES) / 2
    this.#largestShare = this.#share
  }

  grow(): void {
    this.#share = Math.min(this.#share * 2, this.#largestShare)
  }

  /** Whether enough is waiting for a full batch. */
  isReached(log: ReadableLog, { line, offset }: Place): boolean {
    return log.lineCount - line >= this.lines || log.size - offset >= this.bytes
  }
}

/**
 * Reads batches, one at a time, into one buffer: the next read overwrites the last batch. Separate
 * buffers for a gigabyte would become garbage faster than it is collected.
 */
export class BatchReader {
  readonly #log: ReadableLog
  #buffer: Buffer = Buffer.alloc(0)

  constructor(log: ReadableLog) {
    this.#log = log
  }

  /**
   * At least one line; a line longer than the size comes alone. A place at the end of the log is the
   * caller's mistake.
   *
   * @throws {JobLogError} when the file cannot be read
   */
  async read(from: Place, size: BatchSize): Promise<Batch> {
    const waiting = this.#log.size - from.offset
    for (let length = size.bytes; ; length *= 2) {
      const bytes = await this.#readBytes(from.offset, Math.min(length, waiting))
      const batch = wholeLines(bytes, size.lines)
      if (batch.lines > 0) return length === size.bytes ? batch : wholeLines(bytes, 1)
      if (length >= waiting) throw new RangeError(`${this.#log.path} has no line at ${from.line}`)
    }
  }

  async #readBytes(position: number, length: number): Promise<Uint8Array> {
    if (this.#buffer.length < length) this.#buffer = Buffer.allocUnsafeSlow(length)
    return await this.#log.readBytes(position, length, this.#buffer)
  }
}

function wholeLines(bytes: Uint8Array, most: number): Batch {
  let end = 0
  let lines = 0
  while (lines < most) {
    const newline = bytes.indexOf(NEWLINE, end)
    if (newline === -1) break
    end = newline + 1
    lines++
  }
  return { bytes: bytes.subarray(0, end), lines }
}
