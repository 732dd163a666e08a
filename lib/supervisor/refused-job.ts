/**
 * The log of a job that never ran: it says why, like the log of any other failed job.
 *
 * @module
 */

import { blockEnd, type JobResult } from '../events/event.ts'
import { JobLog } from '../events/job-log.ts'
import type { KeptLogs } from '../records/kept-logs.ts'
import { nowInSeconds } from '../time.ts'
import { type OpenedLog, openLog } from './open-log.ts'

export interface Refusal {
  /** The title of the block in the job's log. */
  readonly title: string
  /** Its output: whole lines. */
  readonly reason: string
  readonly result: Exclude<JobResult, 'passed'>
}

/** @throws {JobLogError} when the log cannot be kept anywhere */
export async function refuseJob(
  logs: KeptLogs,
  id: string,
  { title, reason, result }: Refusal,
): Promise<JobLog> {
  const { jobLog, path } = await openBegunLog(logs, id)
  logs.put(id, path, Promise.resolve(jobLog))
  const timestamp = nowInSeconds()
  if (jobLog.lineCount === 0) await jobLog.write({ event: 'job_started', timestamp })
  await jobLog.write({ event: 'cmd_started', timestamp, directive: title })
  await jobLog.write({ event: 'cmd_output', timestamp, output: reason })
  await jobLog.write(blockEnd({ directive: title, timestamp }, 1))
  await jobLog.write({ event: 'job_finished', timestamp: nowInSeconds(), result })
  await jobLog.close()
  return jobLog
}

/** An agent that was killed may have left the beginning of one. */
async function openBegunLog(logs: KeptLogs, id: string): Promise<OpenedLog> {
  const path = logs.pathOf(id)
  if (path === undefined) return await openLog(logs.pathFor(id))
  try {
    return { jobLog: await JobLog.reopen(path), path }
  } catch {
    return await openLog(logs.pathFor(id)) // the old log is lost, and this one replaces it
  }
}
