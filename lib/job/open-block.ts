/**
 * The last block in the log of an interrupted job: it says that the job was interrupted.
 *
 * @module
 */

import { INTERRUPTED_TITLE } from '../events/block-titles.ts'
import { blockEnd, type JobEvent } from '../events/event.ts'
import type { JobLog } from '../events/job-log.ts'
import { type ByteString, bytes, bytesOf, decodeBytes } from '../files/byte-string.ts'
import { nowInSeconds } from '../time.ts'

type BlockStart = Extract<JobEvent, { event: 'cmd_started' }>

interface LogEnd {
  /** Of a block that has not ended. */
  readonly open: BlockStart | undefined
  /** The last two lines, the newest last. */
  readonly lastLines: readonly ByteString[]
}

/**
 * Ends the open block with the reason, so that every block in the log is complete. If none is open, the
 * reason gets a block of its own. Repeatable: the reason is written once.
 *
 * @param hasResult the job already has its result: only an open block is ended
 */
export async function explainInterruption(
  jobLog: JobLog,
  reason: string,
  hasResult: boolean,
): Promise<void> {
  const { open, lastLines } = await findEnd(jobLog)
  const isSaid = lastLines.some((line) => decodeBytes(line).includes(JSON.stringify(reason)))
  if (open === undefined && (hasResult || isSaid)) return
  const timestamp = nowInSeconds()
  const block = open ?? { directive: INTERRUPTED_TITLE, timestamp }
  if (jobLog.lineCount === 0) await jobLog.write({ event: 'job_started', timestamp })
  if (open === undefined) {
    await jobLog.write({ event: 'cmd_started', timestamp, directive: INTERRUPTED_TITLE })
  }
  if (!isSaid) await jobLog.write({ event: 'cmd_output', timestamp, output: reason })
  await jobLog.write(blockEnd(block, 1))
}

async function findEnd(jobLog: JobLog): Promise<LogEnd> {
  let open: BlockStart | undefined
  let lastLines: ByteString[] = []
  let rest = bytes``
  const { signal } = new AbortController()
  for await (const chunk of jobLog.read(0, { follow: false, signal })) {
    const lines = bytes`${rest}${bytesOf(chunk)}`.split('\n')
    rest = lines.pop() ?? bytes``
    for (const line of lines) {
      // Most lines are output: they are recognized by their beginning and not parsed.
      if (line.startsWith('{"event":"cmd_started"')) {
        open = JSON.parse(decodeBytes(line)) as BlockStart
      } else if (line.startsWith('{"event":"cmd_finished"')) open = undefined
    }
    lastLines = [...lastLines, ...lines.slice(-2)].slice(-2)
  }
  return { open, lastLines }
}
