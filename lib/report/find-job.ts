/**
 * Finds a job by its id: one that runs, whoever runs it, or one whose log is kept.
 *
 * @module
 */

import { findRegisteredJobs } from '../access/registered-jobs.ts'
import { JobNotRunningError, messageOf } from '../errors.ts'
import type { JobRecord } from '../records/job-record.ts'
import { findKeptLog } from '../records/kept-logs.ts'

export interface FoundJob {
  readonly id: string
  /** Of a job that runs. */
  readonly record?: JobRecord | undefined
  readonly logPath?: string | undefined
}

/** @throws {JobNotRunningError} when there is none */
export async function findJob(id: string, stateDirectories: readonly string[]): Promise<FoundJob> {
  const record = (await findRegisteredJobs()).find((job) => job.id === id)
  if (record !== undefined) return { id, record, logPath: record.logPath }
  const problems: string[] = []
  for (const directory of stateDirectories) {
    try {
      const logPath = await findKeptLog(directory, id)
      if (logPath !== undefined) return { id, logPath }
    } catch (error) {
      problems.push(`; ${messageOf(error)}`)
    }
  }
  const places = stateDirectories.join(' or ')
  throw new JobNotRunningError(
    `This user has no running job ${JSON.stringify(id)}, and there is no log of one in ${places}${problems.join('')}`,
    {
      hint: "Call it as the agent's user (sudo -u ci agent report …), and with the agent's --state-dir.",
    },
  )
}
