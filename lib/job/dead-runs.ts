/**
 * Recovers jobs of `agent run` whose agent was killed. The next agent of the same user does this.
 *
 * @module
 */

import { unregisterDeadJobs } from '../access/registered-jobs.ts'
import { explain } from '../errors.ts'
import { kindOf } from '../executors/registry.ts'
import { removeDeadKeys } from '../host/authorized-keys.ts'
import { canSeeFiles } from '../host/host-resources.ts'
import { removeDeadProfileLines } from '../host/login-profile.ts'
import type { Logger } from '../log.ts'
import type { JobRecord, RecordedJob } from '../records/job-record.ts'
import { findDeadRuns } from '../records/job-records.ts'
import { InterruptedJob } from './interrupted-job.ts'

/**
 * Never rejects: whatever could not be removed is reported, and the next agent tries again.
 *
 * @param home searched for remains without a record, e.g. after a power cut
 */
export async function recoverDeadRuns(home: string, log: Logger): Promise<void> {
  for (const recorded of await findDeadRuns(log)) {
    const { record } = recorded
    if (record !== undefined && canSeeFiles(record.resources)) await recover(recorded, record, log)
  }
  const steps = [unregisterDeadJobs, () => removeDeadKeys(home), () => removeDeadProfileLines(home)]
  for (const remove of steps) {
    await remove().catch((error: unknown) =>
      log.warn(
        `Cannot remove what an earlier agent added to the home directory: ${explain(error)}`,
      ),
    )
  }
}

async function recover(recorded: RecordedJob, record: JobRecord, log: Logger): Promise<void> {
  const deadline = new AbortController().signal
  const job = new InterruptedJob({ recorded, record, log, deadline, attempts: 1 })
  const results = await Promise.allSettled([job.cleanUp(), reclaim(record)])
  const errors = results.flatMap((it) => (it.status === 'rejected' ? [it.reason as unknown] : []))
  for (const error of errors) {
    log.warn(`What a killed agent left of job ${record.id} could not be removed: ${explain(error)}`)
  }
  if (errors.length > 0) return // the record stays for the next agent
  await job.finish()
  await job.notifier.reportTeardown()
}

async function reclaim(record: JobRecord): Promise<void> {
  const { executor, dockerSocketPath: socketPath, instanceId } = record
  await kindOf(executor).reclaim({ socketPath, instanceId, isActive: () => false })
}
