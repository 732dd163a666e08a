/**
 * How many files and connections this process may have open at one time.
 *
 * @module
 */

import { readFileSync } from 'node:fs'

/** @see man 5 proc_pid_limits */
export function descriptorLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  const [, soft = ''] = /^Max open files +(\d+|unlimited)/m.exec(limits) ?? []
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}
