import { join } from 'node:path'
import { explain } from '../../../lib/errors.ts'
import { InterruptedJob } from '../../../lib/job/interrupted-job.ts'
import { createLogger } from '../../../lib/log.ts'
import { JobRecords } from '../../../lib/records/job-records.ts'

/** As an agent does at its start, with the records in `DIRECTORY/records`. */
export async function recoverAll(directory: string): Promise<void> {
  const log = createLogger({ write: (text) => void process.stderr.write(text), level: 'warn' })
  const records = await JobRecords.open(join(directory, 'records'))
  for (const recorded of await records.readAll(log)) {
    const { record } = recorded
    if (record === undefined) continue
    const deadline = new AbortController().signal
    const job = new InterruptedJob({ recorded, record, log, deadline, attempts: 3 })
    await job.cleanUp().catch((error: unknown) => log.error(explain(error)))
    await job.finish()
    await job.notifier.reportTeardown()
  }
}
