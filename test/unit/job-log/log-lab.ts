import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JobEvent } from '../../../lib/events/event.ts'
import { JobLog } from '../../../lib/events/job-log.ts'

/** A directory for logs, and the events that fill them. */
export interface LogLab {
  readonly directory: string
  readonly path: string
  remove(): Promise<void>
}

export async function logLab(): Promise<LogLab> {
  const directory = await mkdtemp(join(tmpdir(), 'agent-job-log-'))
  return {
    directory,
    path: join(directory, 'job.log'),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}

export const STARTED: JobEvent = { event: 'job_started', timestamp: 1 }
export const FINISHED: JobEvent = { event: 'job_finished', timestamp: 2, result: 'passed' }

export function output(text: string): JobEvent {
  return { event: 'cmd_output', timestamp: 1, output: text }
}

/** Everything a read yields, as lines without their newlines. */
export async function linesOf(chunks: AsyncIterable<Uint8Array>): Promise<string[]> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  const text = Buffer.concat(parts).toString()
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

/** What is in the log now, from a line on. */
export function stored(log: JobLog, from = 0): Promise<string[]> {
  return linesOf(log.read(from, { follow: false, signal: new AbortController().signal }))
}

/** The `output` of each line that has one. */
export function outputsIn(lines: readonly string[]): string[] {
  return lines.map((line) => (JSON.parse(line) as { output?: string }).output ?? '')
}

/** A log of outputs `0`, `1`, …, written a thousand at a time. */
export async function logOf(path: string, count: number): Promise<JobLog> {
  const log = await JobLog.create(path)
  for (let from = 0; from < count; from += 1_000) {
    const batch = Array.from({ length: Math.min(1_000, count - from) }, (_, i) => from + i)
    await Promise.all(batch.map((number) => log.write(output(`${number}`))))
  }
  return log
}
