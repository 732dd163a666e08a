/**
 * One job's log in a file: written line by line, read by anyone from any line, at any time.
 *
 * @module
 */

import { onAbort } from '../async/abort.ts'
import { JobLogError } from '../errors.ts'
import { type EventSink, formatEvent, type JobEvent } from './event.ts'
import { JobLogFile } from './job-log-file.ts'
import { INDEX_BYTES, LineIndex } from './job-log-index.ts'
import { JobLogReader, type ReadableLog, type ReadOptions } from './job-log-reader.ts'
import { JobLogReserve } from './job-log-reserve.ts'
import { StepList } from './step-list.ts'

const NEWLINE = 0x0a
const OUTPUT = Buffer.from('{"event":"cmd_output"')
const LAST_LINE = Buffer.from('{"event":"job_finished"')

const WAKE_AT_ONCE = 16

/** One read while an index is rebuilt. */
const REBUILD_BYTES = 256 * 1024

/**
 * The end of the log is kept in memory: hundreds who follow it would each ask the disk for the same
 * line (200 of them made the p99 of other requests 57 ms; from memory it is 10 ms).
 */
const RECENT_BYTES = 64 * 1024

interface PendingLine {
  readonly event: JobEvent
  readonly bytes: Buffer
  readonly isLast: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Append-only: what a reader has seen stays, at the same line number, also when the agent is
 * killed. Readers see whole lines only, and only lines that the kernel has.
 *
 * A write that fails leaves the log as it was. It is up to the job to end then; the lines that
 * tell of it may still be written: on a full disk, some room was kept for them.
 */
export class JobLog implements EventSink, ReadableLog {
  readonly #file: JobLogFile
  readonly #reserve: JobLogReserve
  readonly #index = new LineIndex()
  readonly #steps = new StepList()
  readonly #waiting = new Set<() => void>()
  #queue: PendingLine[] = []
  /** As much of the end as this process has written, up to {@link RECENT_BYTES}. */
  #recent: Buffer = Buffer.alloc(0)
  #writing: Promise<void> | undefined
  #hasFailed = false
  #finished = false
  #closed = false
  #ending: Promise<void> | undefined

  private constructor(file: JobLogFile) {
    this.#file = file
    this.#reserve = new JobLogReserve(file.path)
  }

  /**
   * A new log in a new file of mode 0600.
   *
   * @throws {JobLogError} when the file exists or cannot be made
   */
  static async create(path: string): Promise<JobLog> {
    const log = new JobLog(await JobLogFile.create(path))
    try {
      await log.#reserve.take()
    } catch (error) {
      await log.close()
      await log.#file.remove()
      throw error
    }
    return log
  }

  /**
   * The log an earlier process left, in one pass over the file. A torn last line was never shown
   * to a reader: it is cut off.
   *
   * @throws {JobLogError} when the file cannot be read, or has a torn line that cannot be cut off
   */
  static async reopen(path: string): Promise<JobLog> {
    const log = new JobLog(await JobLogFile.reopen(path))
    try {
      await log.#rebuild()
    } catch (error) {
      await log.close()
      throw error
    }
    if (log.#finished) await log.close()
    return log
  }

  get path(): string {
    return this.#file.path
  }

  get steps(): StepList {
    return this.#steps
  }

  get lineCount(): number {
    return this.#index.lineCount
  }

  get size(): number {
    return this.#index.size
  }

  get finished(): boolean {
    return this.#finished
  }

  get ended(): boolean {
    return this.#closed
  }

  /**
   * Resolves when the kernel has the line, so that it survives the agent. Lines that arrive while
   * the disk is busy share one write.
   *
   * @throws {JobLogError} when the disk is full, the file gone, changed or read-only
   */
  async write(event: JobEvent): Promise<void> {
    if (this.#closed) throw new Error(`${this.#file.path} has ended: no ${event.event} after that`)
    await new Promise<void>((resolve, reject) => {
      const bytes = Buffer.from(formatEvent(event))
      this.#queue.push({ event, bytes, isLast: event.event === 'job_finished', resolve, reject })
      this.#writing ??= this.#drain()
    })
  }

  /** From a line on, 0-based; a line that is not there yet is waited for when following. */
  read(from: number, options: ReadOptions): JobLogReader {
    return new JobLogReader(this, from, options)
  }

  /** No more lines: whoever follows gets what is there, and no more. Reading goes on. Repeatable. */
  async close(): Promise<void> {
    this.#ending ??= this.#end()
    await this.#ending
  }

  async acquire(): Promise<void> {
    await this.#file.acquire()
  }

  async release(): Promise<void> {
    await this.#file.release()
  }

  async readBytes(position: number, length: number, buffer?: Buffer): Promise<Buffer> {
    const from = position - (this.size - this.#recent.length)
    if (from >= 0) return this.#recent.subarray(from, from + length)
    const bytes = await this.#file.read(position, length, buffer)
    if (bytes.length < length) throw truncated(this.#file.path)
    return bytes
  }

  async locate(line: number): Promise<number> {
    if (line >= this.lineCount) return this.size
    const place = this.#index.find(line)
    if (place.line === line) return place.offset
    const length = Math.min(INDEX_BYTES, this.size - place.offset)
    const bytes = await this.readBytes(place.offset, length)
    let at = 0
    for (let missing = line - place.line; missing > 0; missing--) {
      at = bytes.indexOf(NEWLINE, at) + 1
    }
    return place.offset + at
  }

  changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake)
        listening[Symbol.dispose]()
        resolve()
      }
      this.#waiting.add(wake)
      const listening = onAbort(signal, wake)
    })
  }

  /** Hundreds of readers at once would keep the event loop from everybody else. */
  #wake(): void {
    const waiting = [...this.#waiting]
    const wakeSome = (from: number) => {
      for (const wake of waiting.slice(from, from + WAKE_AT_ONCE)) wake()
      const next = from + WAKE_AT_ONCE
      if (next < waiting.length) setImmediate(wakeSome, next)
    }
    wakeSome(0)
  }

  async #end(): Promise<void> {
    this.#closed = true
    await this.#writing
    this.#wake()
    this.#recent = Buffer.alloc(0) // who reads a finished log reads it once
    await this.#reserve.free()
    await this.#file.release()
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const lines = this.#queue
      this.#queue = []
      try {
        await this.#append(lines)
        for (const { resolve } of lines) resolve()
      } catch (error) {
        this.#hasFailed = true
        for (const { reject } of lines) reject(error)
      }
    }
    this.#writing = undefined
    if (this.#finished) this.#ending ??= this.#end() // not awaited: it waits for this very loop
  }

  async #append(lines: readonly PendingLine[]): Promise<void> {
    // The lines after a failed one say that the job is over: now is what the reserve is for.
    if (this.#hasFailed) await this.#reserve.free()
    const bytes = joined(lines)
    await this.#file.append(bytes, this.size)
    for (const { event, bytes: line, isLast } of lines) {
      this.#index.add(line.length)
      this.#steps.take(event, performance.now())
      this.#finished ||= isLast
    }
    this.#recent = endOf(this.#recent, bytes)
    this.#wake()
  }

  /** Builds the index, cuts off a torn line, looks whether the job had finished. */
  async #rebuild(): Promise<void> {
    let lastLine = 0
    let torn = 0
    for (let position = 0; ; position += REBUILD_BYTES) {
      const bytes = await this.#file.read(position, REBUILD_BYTES)
      let begin = 0
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, begin)) {
        lastLine = this.size
        const length = torn + end + 1 - begin
        this.#index.add(length)
        await this.#readStep(lastLine, length, torn === 0 ? bytes.subarray(begin, end) : undefined)
        torn = 0
        begin = end + 1
      }
      torn += bytes.length - begin
      if (bytes.length < REBUILD_BYTES) break
    }
    if (torn > 0) await this.#file.truncate(this.size)
    const start = await this.#file.read(lastLine, LAST_LINE.length)
    this.#finished = start.equals(LAST_LINE)
  }

  /** Most lines are output: they are recognized by their beginning. */
  async #readStep(position: number, length: number, line: Buffer | undefined): Promise<void> {
    const start = line ?? (await this.#file.read(position, OUTPUT.length))
    if (start.subarray(0, OUTPUT.length).equals(OUTPUT)) return
    const bytes = line ?? (await this.#file.read(position, length))
    try {
      this.#steps.take(JSON.parse(bytes.toString()) as JobEvent)
    } catch {
      // Not a line of ours: whoever reads the log sees what it is.
    }
  }
}

function truncated(path: string): JobLogError {
  return new JobLogError(`The job's log ${path} cannot be read: somebody has cut it short`, {
    hint: "Do not change files in the agent's state directory.",
  })
}

/** The last of both, one after the other. */
function endOf(before: Buffer, after: Buffer): Buffer {
  const room = RECENT_BYTES - after.length
  if (room <= 0) return after.subarray(-RECENT_BYTES)
  return Buffer.concat([before.subarray(-room), after])
}

function joined(lines: readonly PendingLine[]): Buffer {
  const [only] = lines
  if (only !== undefined && lines.length === 1) return only.bytes
  return Buffer.concat(lines.map(({ bytes }) => bytes))
}
