/**
 * A job's log as a person reads it: the directive and the output of each block.
 *
 * @module
 */

import type { JobEvent } from '../events/event.ts'
import { JobLogReader, type ReadableLog } from '../events/job-log-reader.ts'

const NEWLINE = 0x0a

/**
 * Rendered piece by piece as the file is read, so that memory does not grow with the log.
 *
 * @throws {JobLogError} when the file cannot be read
 */
export async function* renderPlainText(
  jobLog: ReadableLog,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  let line: Uint8Array[] = []
  for await (const chunk of new JobLogReader(jobLog, 0, { follow: false, signal })) {
    let text = ''
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      text += textOf(Buffer.concat([...line, chunk.subarray(from, end)]).toString())
      line = []
      from = end + 1
    }
    if (from < chunk.length) line.push(chunk.subarray(from))
    if (text !== '') yield Buffer.from(text)
  }
  signal.throwIfAborted()
}

function textOf(line: string): string {
  const event = JSON.parse(line) as JobEvent // of this agent's own log
  if (event.event === 'cmd_started') return `${event.directive}\n`
  return event.event === 'cmd_output' ? event.output : ''
}
