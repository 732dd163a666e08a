/**
 * The exit codes of commands that tell a job's result by theirs.
 *
 * @module
 */

import type { JobResult } from '../events/event.ts'

export const EXIT_CODES: Readonly<Record<JobResult, number>> = {
  passed: 0,
  failed: 1,
  stopped: 130,
}
