/**
 * Makes the log of a job, somewhere in any case: whoever reads it has to learn what is wrong.
 *
 * @module
 */

import { mkdtemp } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { JobLog } from '../events/job-log.ts'

/** Where a log goes when the state directory cannot take it: only to say that, and why. */
const SPARE_DIRECTORY = '/dev/shm'

/** Where a job's log is, and why the job must not run although there is one. */
export interface OpenedLog {
  readonly jobLog: JobLog
  readonly path: string
  readonly obstacle?: unknown
}

/** In the state directory; else somewhere, so that whoever reads it learns what is wrong. */
export async function openLog(path: string): Promise<OpenedLog> {
  try {
    return { jobLog: await JobLog.create(path), path }
  } catch (obstacle) {
    try {
      const spare = join(await mkdtemp(join(SPARE_DIRECTORY, 'agent-log-')), basename(path))
      return { jobLog: await JobLog.create(spare), path: spare, obstacle }
    } catch {
      throw obstacle
    }
  }
}
