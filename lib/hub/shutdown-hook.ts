/**
 * The program that the owner of the machine wants to run when its agents have ended, e.g. to end the
 * machine too.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { messageOf } from '../errors.ts'
import { type Logger, oneLine } from '../log.ts'
import type { ShutdownReason } from './state.ts'

export interface ShutdownHook {
  readonly path: string
  readonly reason: ShutdownReason
  /** Without the agent's own settings. */
  readonly environment: Readonly<Record<string, string>>
  readonly log: Logger
}

/** A longer line is split over several entries. */
const MAX_LINE_CHARACTERS = 4_096

/** What it prints goes to the agent's log. It may take as long as it likes. Never rejects. */
export async function runShutdownHook({
  path,
  reason,
  environment,
  log,
}: ShutdownHook): Promise<void> {
  log.info(`Running the shutdown hook ${path}, reason ${reason}`)
  const env = { ...environment, SEMAPHORE_AGENT_SHUTDOWN_REASON: reason }
  try {
    const child = spawn('bash', [path], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const closed = once(child, 'close')
    const printed = [child.stdout, child.stderr].map((stream) => copyLines(stream, log))
    const [code, signal] = (await closed) as [number | null, NodeJS.Signals | null]
    await Promise.all(printed)
    if (code !== 0) log.error(`The shutdown hook ended with ${code ?? signal}`)
  } catch (error) {
    log.error(`The shutdown hook could not be run: ${messageOf(error)}`)
  }
}

async function copyLines(stream: Readable, log: Logger): Promise<void> {
  const print = (line: string) => log.info(`shutdown hook: ${oneLine(line)}`)
  let rest = ''
  for await (const text of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) print(line)
    while (rest.length > MAX_LINE_CHARACTERS) {
      print(rest.slice(0, MAX_LINE_CHARACTERS))
      rest = rest.slice(MAX_LINE_CHARACTERS)
    }
  }
  if (rest !== '') print(rest)
}
