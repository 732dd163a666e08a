/**
 * The log pusher: batch after batch, each tried until it has arrived.
 *
 * @see lib/log-push/README.md for what the server does with them
 * @module
 */

import { Deadline, LinkedAbort, onAbort } from '../async/abort.ts'
import { backoff, retry } from '../async/retry.ts'
import { explain, messageOf } from '../errors.ts'
import type { Place } from '../events/job-log-index.ts'
import type { TextResponse } from '../outbound.ts'
import { type Batch, BatchReader, BatchSize } from './batch.ts'
import type { FinishOptions, LogDelivery, LogPusher, LogPusherOptions } from './log-pusher.ts'
import { LogToken } from './log-token.ts'
import {
  failureOfAnswer,
  failureOfConnection,
  failureOfLongLine,
  failureOfRefresh,
  failureOfSize,
  PushFailure,
} from './push-failure.ts'

/** Longer than the server's own limit of 20 s, since only the server knows whether it took a batch. */
const TIMEOUT_MS = 30_000

/** After a pause in the log: lines written together go together, and still arrive at once. */
const GATHER_MS = 50

/** From one batch to the next, while the job keeps writing. */
const MIN_INTERVAL_MS = 1_000
const MAX_INTERVAL_MS = 1_500

const DELAYS = { firstMs: 500, maxMs: 10_000, jitter: 0.3 }

/** Starts at once: see {@link LogPusher}. */
export function createLogPusher(options: LogPusherOptions): LogPusher {
  return new PositionalPusher(options)
}

class PositionalPusher implements LogPusher {
  readonly #options: LogPusherOptions
  readonly #token: LogToken
  readonly #reader: BatchReader
  readonly #size = new BatchSize()
  /** Aborted when pushing has to end, whatever is left. */
  readonly #stop: LinkedAbort
  /** Aborted when the log has ended: no more pauses. */
  readonly #logEnd: LinkedAbort
  readonly #logged = new Set<string>()
  readonly #running: Promise<void>
  #place: Place
  #pushed = { lines: 0, bytes: 0 }
  #isTrimmed = false
  #nextAt = 0
  /** Why the last try failed; empty after one that succeeded. */
  #problem = ''
  /** A failure was logged, and success has not been logged since. */
  #hasLoggedFailure = false
  #hasGivenUp = false
  #finishing: Promise<LogDelivery> | undefined

  constructor(options: LogPusherOptions) {
    const { token, refreshToken, signal, jobLog, startFrom } = options
    this.#options = options
    this.#reader = new BatchReader(jobLog)
    this.#token = new LogToken(token, refreshToken, (error) => this.#tell(failureOfRefresh(error)))
    this.#stop = new LinkedAbort(signal)
    this.#logEnd = new LinkedAbort(this.#stop.signal)
    this.#place = { line: Math.min(startFrom, jobLog.lineCount), offset: 0 }
    this.#running = this.#run()
  }

  get position(): number {
    return this.#place.line
  }

  get lag(): number {
    return this.#options.jobLog.lineCount - this.#place.line
  }

  get pushed(): { readonly lines: number; readonly bytes: number } {
    return this.#pushed
  }

  get isTrimmed(): boolean {
    return this.#isTrimmed
  }

  finish(options: FinishOptions): Promise<LogDelivery> {
    this.#finishing ??= this.#finish(options)
    return this.#finishing
  }

  async #finish({ timeoutMs, signal }: FinishOptions): Promise<LogDelivery> {
    const { jobLog, log } = this.#options
    using deadline = new Deadline(timeoutMs, signal)
    using _ = onAbort(deadline.signal, () => this.#stop.abort(deadline.signal.reason))
    this.#logEnd.abort()
    await this.#running
    const { position, isTrimmed, lag } = this
    const delivery = { lines: jobLog.lineCount, delivered: position, isTrimmed }
    if (lag === 0 || isTrimmed) return delivery
    const problem = this.#problem || messageOf(this.#stop.signal.reason)
    if (!this.#hasGivenUp) {
      log.error(
        `${lag} of the ${delivery.lines} lines of the job's log were not delivered to ${this.#address}, and are in ${jobLog.path} only: ${problem}`,
      )
    }
    return { ...delivery, problem }
  }

  async #run(): Promise<void> {
    const { jobLog, log } = this.#options
    try {
      await this.#pushAll()
    } catch (error) {
      if (this.#stop.signal.aborted) return
      this.#problem = error instanceof PushFailure ? error.message : explain(error)
      this.#hasGivenUp = true
      const place = `line ${this.position} on, and is in ${jobLog.path}`
      log.error(`The job's log is not pushed from ${place}: ${this.#problem}`)
    } finally {
      this.#logEnd[Symbol.dispose]()
      this.#stop[Symbol.dispose]()
    }
  }

  async #pushAll(): Promise<void> {
    const { jobLog } = this.#options
    await jobLog.acquire()
    try {
      this.#place = { ...this.#place, offset: await jobLog.locate(this.#place.line) }
      while (!this.#isTrimmed && (await this.#hasMore())) {
        await this.#gather()
        await this.#pushNext()
      }
    } finally {
      await jobLog.release()
    }
  }

  async #hasMore(): Promise<boolean> {
    const { jobLog } = this.#options
    const { signal } = this.#logEnd
    while (this.lag === 0 && !jobLog.ended && !signal.aborted) await jobLog.changed(signal)
    return this.lag > 0
  }

  /** Lets lines accumulate, unless the log has ended. */
  async #gather(): Promise<void> {
    const { jobLog } = this.#options
    const dueAt = Math.max(performance.now() + GATHER_MS, this.#nextAt)
    while (!this.#logEnd.signal.aborted && !this.#size.isReached(jobLog, this.#place)) {
      const restMs = dueAt - performance.now()
      if (restMs <= 0) break
      using deadline = new Deadline(restMs, this.#logEnd.signal)
      await jobLog.changed(deadline.signal)
    }
    const spread = MAX_INTERVAL_MS - MIN_INTERVAL_MS
    this.#nextAt = performance.now() + MIN_INTERVAL_MS + spread * Math.random()
  }

  async #pushNext(): Promise<void> {
    await retry(() => this.#attempt(), {
      delaysMs: backoff({ ...DELAYS, ...this.#options.delays }),
      signal: this.#stop.signal,
      isRetryable: (error) => error instanceof PushFailure && error.isPassing,
      onRetry: (error) => this.#tell(error as PushFailure),
    })
  }

  /** @throws {PushFailure} when nothing has arrived, or that is not known */
  async #attempt(): Promise<void> {
    for (let isTokenNew = false; ; ) {
      const batch = await this.#reader.read(this.#place, this.#size)
      const answer = await this.#post(batch)
      const { status } = answer
      if (status === 200) return await this.#confirm(batch)
      if (status === 422) return this.#trim(answer)
      if (status === 413) {
        if (batch.lines === 1) throw failureOfLongLine(batch.bytes.length)
        this.#tell(failureOfSize(batch.bytes.length))
        this.#size.refuse(batch)
      } else if (status === 401 && !isTokenNew) {
        this.#token.refuse()
        isTokenNew = true
      } else {
        throw this.#shrinkAfter(failureOfAnswer(answer))
      }
    }
  }

  async #post({ bytes }: Batch): Promise<TextResponse> {
    const { url, client } = this.#options
    const { signal } = this.#stop
    const token = await this.#token.get(signal).catch((error: unknown) => {
      throw failureOfRefresh(error)
    })
    try {
      return await client.call({
        method: 'POST',
        url: `${url}${url.includes('?') ? '&' : '?'}start_from=${this.#place.line}`,
        headers: { 'content-type': 'text/plain', authorization: `Bearer ${token}` },
        body: bytes,
        timeoutMs: TIMEOUT_MS,
        signal,
      })
    } catch (error) {
      throw this.#shrinkAfter(failureOfConnection(error))
    }
  }

  #shrinkAfter(failure: PushFailure): PushFailure {
    if (failure.isHalving) this.#size.halve()
    return failure
  }

  async #confirm({ lines, bytes }: Batch): Promise<void> {
    const { line, offset } = this.#place
    this.#place = { line: line + lines, offset: offset + bytes.length }
    this.#pushed = {
      lines: this.#pushed.lines + lines,
      bytes: this.#pushed.bytes + bytes.length,
    }
    this.#size.grow()
    this.#problem = ''
    if (this.#hasLoggedFailure) this.#options.log.info("The job's log is pushed again")
    this.#hasLoggedFailure = false
    await this.#keepPosition()
  }

  /** A position that is not saved only means that some lines are sent again after a crash. */
  async #keepPosition(): Promise<void> {
    try {
      await this.#options.onPosition(this.position)
    } catch (error) {
      this.#warnOnce(
        'position',
        `The position up to which the job's log has been pushed cannot be saved: ${explain(error)}`,
      )
    }
  }

  #trim({ text }: TextResponse): void {
    const { log, jobLog } = this.#options
    this.#isTrimmed = true
    const reason = text.trim().slice(0, 200) || 'status 422'
    log.warn(
      `The control plane accepts no more of the job's log after line ${this.position} (${reason}). The job continues, and the whole log is in ${jobLog.path}`,
    )
  }

  #tell({ kind, message }: PushFailure): void {
    this.#problem = message
    const text = `The job's log cannot be pushed to ${this.#address} for now: ${message}`
    this.#hasLoggedFailure = this.#warnOnce(kind, text) || this.#hasLoggedFailure
  }

  /** @returns whether it was logged just now */
  #warnOnce(kind: string, message: string): boolean {
    if (this.#logged.has(kind)) return false
    this.#logged.add(kind)
    this.#options.log.warn(message)
    return true
  }

  get #address(): string {
    return this.#options.url.replace(/\?.*/s, '')
  }
}
