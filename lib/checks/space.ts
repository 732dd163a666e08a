/**
 * Room on a disk.
 *
 * @module
 */

import { statfs } from 'node:fs/promises'
import { ok, problem, type Verdict, warning } from './check.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3

/** Below this a job of any size is in danger. */
const LOW_BYTES = GIB

/** Below this a job's log alone is. */
const NONE_BYTES = 50 * MIB

/** @param use of the directory, for the remedy */
export async function examineSpace(directory: string, use: string): Promise<Verdict> {
  const { bavail, bsize } = await statfs(directory)
  const free = bavail * bsize
  const message = `${formatBytes(free)} free in ${directory}`
  const remedy = `Free space there: ${use}.`
  if (free < NONE_BYTES) return problem(message, remedy)
  return free < LOW_BYTES ? warning(message, remedy) : ok(message)
}

export function formatBytes(bytes: number): string {
  return bytes < GIB ? `${Math.round(bytes / MIB)} MiB` : `${(bytes / GIB).toFixed(1)} GiB`
}
