/**
 * What the processes of a job on this host are doing, for a job that is ended by a time limit.
 *
 * @module
 */

import { readFileSync } from 'node:fs'
import { formatProcessTree, parseProcess } from './process-tree.ts'

/** @param pids of the job. @returns a line for each, children below their parents */
export function describeProcesses(pids: readonly number[]): string {
  const processes = pids.flatMap((pid) => {
    const read = (name: string) => readProcessFile(pid, name)
    return parseProcess(read('stat'), read('wchan'), read('syscall')) ?? []
  })
  const known = new Set(pids)
  return formatProcessTree(processes, ({ parent }) => !known.has(parent))
}

/** Empty for a process that has ended, and for a file that is kept from this user. */
function readProcessFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return ''
  }
}
