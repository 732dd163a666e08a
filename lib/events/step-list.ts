/**
 * The steps of a job, as its log tells them: kept while the log is written, so that nobody has to
 * read a log of gigabytes for them.
 *
 * @module
 */

import type { JobEvent, JobResult } from './event.ts'

export interface JobStep {
  /** Its beginning. */
  readonly directive: string
  /** Absent while it runs. */
  readonly exitCode?: number
  /** Unix seconds. */
  readonly startedAt: number
  readonly finishedAt?: number
  /** Of a log that an earlier process has written: in whole seconds. */
  readonly durationMs?: number
}

/** A directive may be a script of megabytes. */
const MAX_CHARACTERS = 200

export class StepList {
  readonly #steps: JobStep[] = []
  #open: JobStep | undefined
  #since = 0
  #result: JobResult | undefined

  /** Absent while the job runs. */
  get result(): JobResult | undefined {
    return this.#result
  }

  /** The one that runs is the last. */
  get all(): readonly JobStep[] {
    return this.#open === undefined ? this.#steps : [...this.#steps, this.#open]
  }

  /** @param now milliseconds, of a clock that only goes forward; absent for an event of the past */
  take(event: JobEvent, now?: number): void {
    switch (event.event) {
      case 'cmd_started':
        this.#since = now ?? 0
        this.#open = { directive: shorten(event.directive), startedAt: event.timestamp }
        return
      case 'cmd_finished': {
        const { exit_code: exitCode, started_at: startedAt, finished_at: finishedAt } = event
        const isWhole = now !== undefined && this.#since > 0
        const durationMs = isWhole ? now - this.#since : (finishedAt - startedAt) * 1_000
        const times = { startedAt, finishedAt, durationMs: Math.round(durationMs) }
        this.#steps.push({ directive: shorten(event.directive), exitCode, ...times })
        this.#open = undefined
        return
      }
      case 'job_finished':
        this.#result = event.result
        return
      default:
    }
  }
}

function shorten(directive: string): string {
  if (directive.length <= MAX_CHARACTERS) return directive
  return `${directive.slice(0, MAX_CHARACTERS).toWellFormed()}…`
}
