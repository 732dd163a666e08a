/**
 * What happens in a job, as its log tells it, and the line each event becomes.
 *
 * @module
 */

import { nowInSeconds } from '../time.ts'

export type JobResult = 'passed' | 'failed' | 'stopped'

/** The wire form itself: keys, their order and whole unix seconds are fixed, see lib/events/README.md. */
export type JobEvent =
  | { readonly event: 'job_started'; readonly timestamp: number }
  | { readonly event: 'cmd_started'; readonly timestamp: number; readonly directive: string }
  | { readonly event: 'cmd_output'; readonly timestamp: number; readonly output: string }
  | {
      readonly event: 'cmd_finished'
      readonly timestamp: number
      readonly directive: string
      readonly exit_code: number
      readonly started_at: number
      readonly finished_at: number
    }
  | { readonly event: 'job_finished'; readonly timestamp: number; readonly result: JobResult }

/**
 * Where a job's events go: a terminal, standard output, a file that `serve` reads back.
 *
 * The job calls `write` in the order of its log, and awaits each promise before the next call, so
 * a slow reader slows the job's terminal instead of filling memory. `write` rejects only when the
 * event can no longer be kept; the job then ends as `failed`.
 */
export interface EventSink {
  write(event: JobEvent): Promise<void> | void
}

/** A block that has begun: what its end repeats. */
export type BlockStart = Pick<
  Extract<JobEvent, { event: 'cmd_started' }>,
  'directive' | 'timestamp'
>

export function blockEnd(
  { directive, timestamp: startedAt }: BlockStart,
  exitCode: number,
): JobEvent {
  const timestamp = nowInSeconds()
  return {
    event: 'cmd_finished',
    timestamp,
    directive,
    exit_code: exitCode,
    started_at: startedAt,
    finished_at: timestamp,
  }
}

/** One line of the log, newline included. */
export function formatEvent(event: JobEvent): string {
  return `${JSON.stringify(event)}\n`
}
