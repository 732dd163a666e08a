/**
 * Why a job ends before its plan does: somebody's stop, or a limit that was reached. It is the
 * reason of the one signal that everything in a job listens to.
 *
 * @module
 */

import type { JobResult } from '../events/event.ts'

export class StopReason extends Error {
  /** Of a job that ends for this reason. */
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

/** A person, a client or the agent's own end asked for it. */
export function requestedStop(): StopReason {
  return new StopReason('the job was stopped', 'stopped')
}
