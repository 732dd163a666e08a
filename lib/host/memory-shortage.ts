/**
 * Whom the kernel ends when memory runs out: a process of the job, and not the agent that has to
 * tell of it. Without this the largest process goes, and a job of many small ones has none that is
 * larger than the agent.
 *
 * @see man 5 proc_pid_oom_score_adj
 * @module
 */

import { readFileSync, writeFileSync } from 'node:fs'

/** Of the whole machine, since it was started. */
export function countOomKills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1] ?? 0)
  } catch {
    return 0 // no /proc: nobody counts
  }
}

/** Of this process; what it starts inherits it. */
const SCORE = '/proc/self/oom_score_adj'

/** As if a process of the job held so many thousandths of all memory more than the agent does. */
const DISTANCE = 500

const LARGEST = 1_000

/**
 * Starts a process of a job. It is the agent that changes its own score around the fork, so that not
 * even the first child of a login script is without it.
 *
 * @param start returns once the process is forked
 */
export function spawnWithOomScore<T>(start: () => T): T {
  const own = readScore()
  if (own === undefined) return start()
  const isRaised = writeScore(Math.min(own + DISTANCE, LARGEST))
  try {
    return start()
  } finally {
    if (isRaised) writeScore(own) // as low as it has been before needs no privilege
  }
}

function readScore(): number | undefined {
  try {
    return Number(readFileSync(SCORE, 'utf8'))
  } catch {
    return undefined // no such file: the job starts all the same
  }
}

function writeScore(score: number): boolean {
  try {
    writeFileSync(SCORE, `${score}`)
    return true
  } catch {
    return false // forbidden, as in some sandboxes: the job starts all the same
  }
}
