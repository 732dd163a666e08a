/**
 * Why a job ends early: a stop was requested, or a limit was reached. It is the reason of the one abort
 * signal that everything in a job listens to.
 *
 * @module
 */

import type { JobResult } from '../events/event.ts'

export class StopReason extends Error {
  /** The result of a job that ends for this reason. */
  readonly result: JobResult
  /** Lines for the job's log, in a block of its own once nothing runs any more. */
  readonly report: readonly string[] | undefined

  constructor(message: string, result: JobResult, report?: readonly string[]) {
    super(message)
    this.name = 'StopReason'
    this.result = result
    this.report = report
  }
}

/** Requested by a person or a client, or because the agent shuts down. */
export function requestedStop(): StopReason {
  return new StopReason('the job was stopped', 'stopped')
}
