/**
 * Makes the log of a job, somewhere in any case: whoever reads it has to learn what is wrong.
 *
 * @module
 */

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
    const spare = join(SPARE_DIRECTORY, basename(path))
    const jobLog = await JobLog.create(spare).catch(() => undefined)
    if (jobLog === undefined) throw obstacle
    return { jobLog, path: spare, obstacle }
  }
}
