/**
 * Jobs of this user whose agent was killed: what is left of them is cleared away by the next agent.
 *
 * @module
 */

import { explain } from '../errors.ts'
import { kindOf } from '../executors/registry.ts'
import { removeDeadKeys, removeKeys } from '../host/authorized-keys.ts'
import { canSeeFiles, removeHostTraces } from '../host/job-traces.ts'
import { removeDeadProfileLines } from '../host/login-profile.ts'
import type { Logger } from '../log.ts'
import { type Found, findDeadJobs, type Remains, removeRunningJob } from './running-jobs.ts'

/**
 * Never rejects: what could not be removed is told, and tried again by the next agent.
 *
 * @param home in which to look for what no note tells of any more, as after a power cut
 */
export async function clearDeadJobs(home: string, log: Logger): Promise<void> {
  for (const job of await findDeadJobs()) {
    if (job.remains !== undefined && !canSeeFiles(job.remains.traces)) continue
    try {
      if (job.remains !== undefined) await removeRemains(job, job.remains)
    } catch (error) {
      log.warn(`What a killed agent left of job ${job.id} is still there: ${explain(error)}`)
      continue
    }
    await closeAccess(job, log)
  }
  for (const remove of [removeDeadKeys, removeDeadProfileLines]) {
    await remove(home).catch((error: unknown) =>
      log.warn(
        `Lines that an earlier agent added to files in the home directory could not be removed: ${explain(error)}`,
      ),
    )
  }
}

/** Takes away the job's keys and what tells people of it. Never rejects. */
export async function closeAccess({ directory, keys }: Found, log: Logger): Promise<void> {
  try {
    if (keys !== undefined) await removeKeys(keys.home, keys.text)
    await removeRunningJob(directory) // last: it says what else there is to remove
  } catch (error) {
    log.warn(`The way into a job that is over could not be closed: ${explain(error)}`)
  }
}

async function removeRemains(
  { executor, dockerSocketPath: socketPath, keys }: Found,
  { traces, leaders, instanceId }: Remains,
): Promise<void> {
  if (keys !== undefined) await removeKeys(keys.home, keys.text) // whatever becomes of the rest
  await removeHostTraces(traces, leaders)
  await kindOf(executor).reclaim({ socketPath, instanceId, isActive: () => false })
}
