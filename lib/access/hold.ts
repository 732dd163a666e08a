/**
 * Keeps a failed job until somebody has looked at it.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { JobAccess } from './job-access.ts'

const POLL_MS = 250

/**
 * Resolves when the time is up, when every attach session that began meanwhile has ended, or when the
 * signal is aborted.
 */
export async function holdForAttachSessions(
  access: Pick<JobAccess, 'listSessions'>,
  limitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + limitMs
  const earlier = new Set<number>()
  for (const { pid, isOpen } of await access.listSessions()) if (!isOpen) earlier.add(pid)
  while (!signal.aborted && performance.now() < deadline) {
    const sessions = (await access.listSessions()).filter(({ pid }) => !earlier.has(pid))
    if (sessions.length > 0 && !sessions.some(({ isOpen }) => isOpen)) return
    await sleep(Math.min(POLL_MS, deadline - performance.now()), undefined, { signal }).catch(
      () => undefined, // the loop's head sees the abort
    )
  }
}
