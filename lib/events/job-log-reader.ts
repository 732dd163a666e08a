/**
 * One read of a job's log, while the job may still be writing it.
 *
 * @module
 */

/** What a reader needs of the log: it shares nothing else with the writer or other readers. */
export interface ReadableLog {
  /** Of its file, for messages. */
  readonly path: string
  readonly lineCount: number
  /** Bytes in whole lines; more may lie in the file, half written. */
  readonly size: number
  /** `job_finished` is in it. */
  readonly finished: boolean
  /** Nothing more will come, with or without `job_finished`. */
  readonly ended: boolean
  acquire(): Promise<void>
  release(): Promise<void>
  /**
   * Exactly that many, or it throws. For those who acquired the log, as `locate` is.
   *
   * @param buffer at least that long: may be read into, and is not where the bytes are otherwise
   */
  readBytes(position: number, length: number, buffer?: Buffer): Promise<Uint8Array>
  /** Where a line begins that is in the log, or comes next. */
  locate(line: number): Promise<number>
  /** Resolves at the next change of the log, or when `signal` aborts. */
  changed(signal: AbortSignal): Promise<void>
}

export interface ReadOptions {
  /** Go on with what is still to come, until the log ends. Otherwise: what is there now. */
  readonly follow: boolean
  /** Aborting ends the read early, without an error. */
  readonly signal: AbortSignal
}

/** Large enough for the disk, small enough to be held once for each of hundreds of slow readers. */
const CHUNK_BYTES = 64 * 1024

export class JobLogReader implements AsyncIterable<Uint8Array> {
  readonly #log: ReadableLog
  readonly #from: number
  readonly #options: ReadOptions
  #reachedEnd = false

  constructor(log: ReadableLog, from: number, options: ReadOptions) {
    this.#log = log
    this.#from = from
    this.#options = options
  }

  /** Everything up to and including `job_finished` has been handed over. */
  get reachedEnd(): boolean {
    return this.#reachedEnd
  }

  /**
   * Pulls from the file only what is asked for: a slow reader costs one chunk of memory.
   *
   * @throws {JobLogError} when the file cannot be read
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal, follow } = this.#options
    if (signal.aborted) return
    await this.#log.acquire()
    try {
      let position = await this.#start()
      while (position !== undefined && !signal.aborted) {
        const { size: end, finished } = this.#log // of one moment: no await in between
        for (; position < end; position += CHUNK_BYTES) {
          yield await this.#log.readBytes(position, Math.min(CHUNK_BYTES, end - position))
          if (signal.aborted) return
          this.#reachedEnd = finished && position + CHUNK_BYTES >= end
        }
        if (!follow || finished) return
        position = end
        if (!(await this.#hasGrown(end))) return
      }
    } finally {
      await this.#log.release()
    }
  }

  /** @returns where to begin; `undefined` when the line is not there and never will be */
  async #start(): Promise<number | undefined> {
    const { signal, follow } = this.#options
    while (this.#from > this.#log.lineCount) {
      if (!follow || this.#log.ended || signal.aborted) return undefined
      await this.#log.changed(signal)
    }
    return await this.#log.locate(this.#from)
  }

  /** @returns whether there is, or came to be, more than that many bytes */
  async #hasGrown(size: number): Promise<boolean> {
    const { signal } = this.#options
    while (this.#log.size === size && !this.#log.ended && !signal.aborted) {
      await this.#log.changed(signal)
    }
    return this.#log.size > size
  }
}
