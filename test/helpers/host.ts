/** Looks at this machine from outside, and waits for what is to happen on it. */

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 10

/** @throws {Error} naming what did not happen in time */
export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`It did not happen in time: ${what}`)
    await sleep(POLL_MS)
  }
}

/** Command lines, of all processes but this one, that contain the text. */
export function processesMatching(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map(readCommandLine)
    .filter((commandLine) => commandLine.includes(text))
}

function readCommandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return '' // it has ended since
  }
}
