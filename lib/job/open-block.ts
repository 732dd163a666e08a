/**
 * The block that an interrupted job has left open in its log.
 *
 * @module
 */

import { blockEnd, type JobEvent } from '../events/event.ts'
import type { JobLog } from '../events/job-log.ts'
import { bytes, bytesOf, decodeBytes } from '../files/byte-string.ts'
import { nowInSeconds } from '../time.ts'

interface OpenBlock {
  readonly started: Extract<JobEvent, { event: 'cmd_started' }>
  readonly lastLine: string
}

/** Ends it, so that the log stays one of whole blocks. Repeatable: the reason is written once. */
export async function closeOpenBlock(jobLog: JobLog, reason: string): Promise<void> {
  const open = await findOpenBlock(jobLog)
  if (open === undefined) return
  const { started, lastLine } = open
  const timestamp = nowInSeconds()
  if (!lastLine.includes(JSON.stringify(reason))) {
    await jobLog.write({ event: 'cmd_output', timestamp, output: reason })
  }
  await jobLog.write(blockEnd(started, 1))
}

async function findOpenBlock(jobLog: JobLog): Promise<OpenBlock | undefined> {
  let started: OpenBlock['started'] | undefined
  let lastLine = ''
  let rest = bytes``
  const { signal } = new AbortController()
  for await (const chunk of jobLog.read(0, { follow: false, signal })) {
    const lines = bytes`${rest}${bytesOf(chunk)}`.split('\n')
    rest = lines.pop() ?? bytes``
    for (const line of lines) {
      // Most lines are output: they are recognized by their beginning and not parsed.
      if (line.startsWith('{"event":"cmd_started"')) {
        started = JSON.parse(decodeBytes(line)) as OpenBlock['started']
      } else if (line.startsWith('{"event":"cmd_finished"')) started = undefined
      lastLine = line
    }
  }
  return started && { started, lastLine }
}
