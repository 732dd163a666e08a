/**
 * Opens an attach session in a job, given its record.
 *
 * @module
 */

import { JobNotRunningError } from '../errors.ts'
import type { AttachOptions } from '../executors/kind.ts'
import { kindOf } from '../executors/registry.ts'
import type { JobRecord } from '../records/job-record.ts'
import { addAttachSession } from './attach-sessions.ts'
import { readRegisteredJob } from './registered-jobs.ts'

/**
 * @param directory of the job, see registered-jobs.ts
 * @returns the exit code of the shell or the command
 * @throws {JobNotRunningError} when the job is over
 */
export async function enterJob(directory: string, options: AttachOptions): Promise<number> {
  const { id: jobId, executor, dockerSocketPath, containerNames = [] } = readJob(directory)
  await addAttachSession(directory, process.pid)
  const listContainers = async () => readJob(directory).containers
  const target = { jobId, dockerSocketPath, containerNames, listContainers }
  return await kindOf(executor).attach(target, options)
}

function readJob(directory: string): JobRecord {
  const job = readRegisteredJob(directory)
  if (job !== undefined) return job
  throw new JobNotRunningError('The job is over: there is nothing left to get into', {
    hint: 'agent attach lists the running jobs.',
  })
}
