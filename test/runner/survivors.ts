/**
 * Finds processes that outlive the test file that started them. They may have left its process
 * group and session, as daemons and terminals do, but they carry its mark in their environment.
 *
 * @module
 */

import { readdirSync, readFileSync } from 'node:fs'

/** Set for a test file's process; the helpers hand it on to the agents they start. */
export const MARK = 'AGENT_TEST_MARK'

export interface Survivor {
  readonly pid: number
  readonly commandLine: string
}

export function findSurvivors(mark: string): Survivor[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/environ`).includes(mark))
    .map((name) => ({
      pid: Number(name),
      commandLine: read(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim(),
    }))
    .filter(({ commandLine }) => commandLine !== '') // a zombie has none: it only waits to be reaped
}

export function killSurvivors(survivors: readonly Survivor[]): void {
  for (const { pid } of survivors) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // it has ended, or is another user's and so none of ours
  }
}
