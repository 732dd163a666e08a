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
  /** May be one that an earlier process left, from `JobLog.reopen`. It is held open until the end. */
  readonly jobLog: ReadableLog
  /** The job request's `logger.url`, without a query. */
  readonly url: string
  /** The job request's `logger.token`, a JWT. Empty when there is none yet: one is requested then. */
  readonly token: string
  /**
   * Requests another token: when the server refuses this one, or shortly before it expires.
   * Never called concurrently. A rejection is logged, and the request repeated after a pause.
   */
  readonly refreshToken: (signal: AbortSignal) => Promise<string>
  /**
   * Lines that the server is known to have; 0 for a new log. Too few is harmless, as the server
   * truncates its copy. A number beyond the end of the log means all of it.
   */
  readonly startFrom: number
  /**
   * Called after each batch with the number of lines the server has; to be saved as `startFrom` of
   * the next process. Awaited before the next batch. A rejection is logged once and changes nothing.
   */
  readonly onPosition: (lines: number) => Promise<void> | void
  /** The agent's own log, with the job's id on every line. */
  readonly log: Logger
  /** May be shared with others. */
  readonly client: OutboundClient
  /** Aborting ends pushing at once: the control plane no longer wants the log. */
  readonly signal: AbortSignal
  /** Between tries, with jitter. Default 500 and 10,000 ms, see lib/log-push/README.md. */
  readonly delays?: { readonly firstMs: number; readonly maxMs: number }
}

export interface FinishOptions {
  /** For all that is still to be delivered: `--log-flush-timeout`. */
  readonly timeoutMs: number
  /** Aborting ends it early, as the timeout does. */
  readonly signal: AbortSignal
}

/** How much of the log has arrived. */
export interface LogDelivery {
  /** Lines of the log. */
  readonly lines: number
  /** Lines that the server has confirmed. */
  readonly delivered: number
  /** The server had no more space, and is not asked again. */
  readonly isTrimmed: boolean
  /** Why not all of it has arrived, in one sentence without secrets. Absent when it has, or is trimmed. */
  readonly problem?: string
}

/**
 * Starts by itself as soon as there is a line. Never rejects and never throws: failures are logged,
 * once for each cause, and retried.
 */
export interface LogPusher {
  /** Lines that the server has confirmed. */
  readonly position: number
  /** Lines of the log that it has not confirmed. Keeps growing once the log is trimmed. */
  readonly lag: number
  /** Confirmed by the server since this pusher began; repeated batches count once. */
  readonly pushed: { readonly lines: number; readonly bytes: number }
  readonly isTrimmed: boolean
  /**
   * Pushes the rest without pauses, and ends. Call it once the log has ended. Whatever could not be
   * delivered is logged as an error. Repeatable: a second call returns the same result.
   */
  finish(options: FinishOptions): Promise<LogDelivery>
}
