/**
 * Taking turns with this user's other agents on this host, for moments.
 *
 * @module
 */

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lockFile } from '../private/lock.ts'
import { commonDirectories, openPrivateDirectory } from '../private/private-directory.ts'

const POLL_MS = 5

/** Somebody whose turn takes longer hangs, and may hang for ever: then it is better to go on. */
const WAIT_LIMIT_MS = 3_000

/**
 * Does the work while no other agent of this user does any. By a lock in a directory of the user's
 * own: what others can reach, they can hold.
 */
export async function withLock<T>(work: () => Promise<T>): Promise<T> {
  const release = await awaitLock()
  try {
    return await work()
  } finally {
    release?.()
  }
}

/** @returns undefined when the turn did not come in time, or there is nowhere to take one */
async function awaitLock(): Promise<(() => void) | undefined> {
  const deadline = performance.now() + WAIT_LIMIT_MS
  try {
    const path = join(openPrivateDirectory(commonDirectories()), 'turn')
    while (performance.now() < deadline) {
      const release = await lockFile(path)
      if (release !== undefined) return release
      await sleep(POLL_MS)
    }
  } catch {
    // A file system that cannot lock, or is full: no reason to give up the work.
  }
  return undefined
}
