/**
 * The exit codes of commands that report a job's result by their own.
 *
 * @module
 */

import type { JobResult } from '../events/event.ts'

export const EXIT_CODES: Readonly<Record<JobResult, number>> = {
  passed: 0,
  failed: 1,
  stopped: 130,
}
