/** Fills the disk a directory is on with a job's log, ends the log, and prints what is in it. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { JobLogError } from '../../../lib/errors.ts'
import { JobLog } from '../../../lib/events/job-log.ts'
import { FINISHED, output, stored } from './log-lab.ts'

async function fillDisk(directory: string): Promise<void> {
  const log = await JobLog.create(join(directory, 'job.log'))
  const error = await fill(log)
  const before = log.lineCount
  await log.write(output('the disk is full'))
  await log.write(output('d'.repeat(8_000)))
  await log.write(FINISHED)
  const { message, code } = error
  const lines = await stored(log)
  const files = await readdir(directory)
  const { lineCount } = log
  process.stdout.write(JSON.stringify({ message, code, before, lineCount, lines, files }))
}

async function fill(log: JobLog): Promise<JobLogError> {
  for (;;) {
    const error = await log.write(output('f'.repeat(1_000))).catch((reason: unknown) => reason)
    if (error instanceof JobLogError) return error
  }
}

await fillDisk(process.argv[2] ?? '')
