/**
 * Keeps what a failed job has made until somebody has looked at it.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { JobAccess } from './job-access.ts'

const POLL_MS = 250

/**
 * Resolves when the time is up, or everybody who came in since has left, or the signal is aborted.
 */
export async function holdForVisitors(
  access: Pick<JobAccess, 'listVisitors'>,
  limitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + limitMs
  const earlier = new Set<number>()
  for (const { pid, isThere } of await access.listVisitors()) if (!isThere) earlier.add(pid)
  while (!signal.aborted && performance.now() < deadline) {
    const visitors = (await access.listVisitors()).filter(({ pid }) => !earlier.has(pid))
    if (visitors.length > 0 && !visitors.some(({ isThere }) => isThere)) return
    await sleep(Math.min(POLL_MS, deadline - performance.now()), undefined, { signal }).catch(
      () => undefined, // the loop's head sees the abort
    )
  }
}
