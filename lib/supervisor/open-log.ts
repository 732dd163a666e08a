/**
 * Creates the log of a job, if necessary in another place, so that its readers learn what is wrong.
 *
 * @module
 */

import { mkdtemp } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { JobLog } from '../events/job-log.ts'

/** Where a log goes that cannot be created in the state directory: it only says why. */
const SPARE_DIRECTORY = '/dev/shm'

/** Where a job's log is, and why the job must not run although it has one. */
export interface OpenedLog {
  readonly jobLog: JobLog
  readonly path: string
  readonly obstacle?: unknown
}

/** Creates it in the state directory, or else in {@link SPARE_DIRECTORY}. */
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
