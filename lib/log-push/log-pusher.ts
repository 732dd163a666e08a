/**
 * Pushes the log of a job to the control plane while the job writes it: what the server holds at the
 * end is the file, byte for byte.
 *
 * @module
 */

import type { ReadableLog } from '../events/job-log-reader.ts'
import type { Logger } from '../log.ts'
import type { OutboundClient } from '../outbound.ts'

export interface LogPusherOptions {
  /** Also one that an earlier process left, by `JobLog.reopen`. It is held open until the end. */
  readonly jobLog: ReadableLog
  /** The job request's `logger.url`, without a query. */
  readonly url: string
  /** The job request's `logger.token`, a JWT. */
  readonly token: string
  /**
   * Asks for another token: when the server refuses this one, or shortly before it expires.
   * Never called twice at a time. A rejection is logged, and it is asked again after a pause.
   */
  readonly refreshToken: (signal: AbortSignal) => Promise<string>
  /**
   * Lines that the server is known to have; 0 for a new log. Too few is harmless, the server cuts
   * what it has of them. More than the log has counts as all of it.
   */
  readonly startFrom: number
  /**
   * Told how many lines the server has, after each batch; to be kept on disk as `startFrom` of the
   * next process. Awaited before the next batch. A rejection is logged once and changes nothing.
   */
  readonly onPosition: (lines: number) => Promise<void> | void
  /** The agent's own log, with the job's id on every line. */
  readonly log: Logger
  /** May be shared with others. */
  readonly client: OutboundClient
  /** Aborting ends pushing at once: nobody is there to be told any more. */
  readonly signal: AbortSignal
  /** Between tries, with jitter. Default 500 and 10,000 ms, see lib/log-push/README.md. */
  readonly delays?: { readonly firstMs: number; readonly maxMs: number }
}

export interface FinishOptions {
  /** For all that is still to be delivered: `--log-flush-timeout`. */
  readonly timeoutMs: number
  /** Aborting ends it early, as the time-out does. */
  readonly signal: AbortSignal
}

/** How much of the log has arrived. */
export interface LogDelivery {
  /** Lines of the log. */
  readonly lines: number
  /** Lines that the server has confirmed. */
  readonly delivered: number
  /** The server had no more space, and is not to be asked again. */
  readonly isTrimmed: boolean
  /** Why not all of it is there, in one sentence without secrets. Absent when it is, or trimmed. */
  readonly problem?: string
}

/**
 * Begins by itself as soon as there is a line. Never rejects and never throws: what goes wrong is
 * logged, once for each cause, and tried again.
 */
export interface LogPusher {
  /** Lines that the server has confirmed. */
  readonly position: number
  /** Lines of the log that it has not. Grows without end once the log is trimmed. */
  readonly lag: number
  /** Confirmed by the server since this pusher began; of batches that were repeated once. */
  readonly pushed: { readonly lines: number; readonly bytes: number }
  readonly isTrimmed: boolean
  /**
   * Pushes the rest without pauses, and ends. To be called once the log has ended. What could not
   * be delivered is logged as an error. Repeatable: a second call gets the same answer.
   */
  finish(options: FinishOptions): Promise<LogDelivery>
}
