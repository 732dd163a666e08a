/**
 * The result of a job, as its log has it.
 *
 * @module
 */

import type { JobEvent, JobResult } from './event.ts'
import type { JobLog } from './job-log.ts'

/**
 * @returns undefined for a log without an end
 * @throws {JobLogError} when it cannot be read
 */
export async function readResult(jobLog: JobLog): Promise<JobResult | undefined> {
  if (!jobLog.finished) return undefined
  const { signal } = new AbortController()
  const chunks: Uint8Array[] = []
  for await (const chunk of jobLog.read(jobLog.lineCount - 1, { follow: false, signal })) {
    chunks.push(chunk)
  }
  const event = JSON.parse(Buffer.concat(chunks).toString()) as JobEvent
  return event.event === 'job_finished' ? event.result : undefined
}
