/**
 * What the kernel lets this process have: open files, and processes beside it.
 *
 * @see man 2 getrlimit, man 5 proc_pid_limits
 * @module
 */

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { ConfigError, ShellError } from '../errors.ts'

/** Of its own the agent has up to 30 open, of a job's and of its clients' as many again. */
const MIN_DESCRIPTORS = 64

/**
 * A shell, what its login files start, and a thread of the terminal addon: where that one is refused,
 * the whole agent ends.
 */
const PROCESSES_OF_SHELL = 8

/**
 * How many files and connections this process may have open at one time. Node has made the soft limit
 * the hard one by now.
 */
export function descriptorLimit(): number {
  return readLimit('Max open files')
}

/** @throws {ConfigError} where so few files may be open that anything may fail */
export function checkDescriptorLimit(): void {
  const limit = descriptorLimit()
  if (limit >= MIN_DESCRIPTORS) return
  throw new ConfigError(
    `The agent may have only ${limit} files open at a time, and needs ${MIN_DESCRIPTORS}`,
    { hint: 'Raise the limit where the agent is started: ulimit -n, LimitNOFILE of a service.' },
  )
}

/** @throws {ShellError} where the user of this process has no room left for a job's shell */
export function checkRoomForShell(): void {
  const uid = process.getuid?.() ?? 0
  if (uid === 0) return // the kernel does not count root's
  const limit = readLimit('Max processes')
  const threads = countThreadsOf(uid)
  if (threads + PROCESSES_OF_SHELL <= limit) return
  throw new ShellError(
    `The agent's user may have ${limit} processes and threads, and has ${threads}: there is no room for a shell`,
    { hint: 'End what earlier jobs have left behind, or raise the limit: ulimit -u, LimitNPROC.' },
  )
}

function readLimit(name: string): number {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  const [, soft = ''] = new RegExp(`^${name} +(\\d+|unlimited)`, 'm').exec(limits) ?? []
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}

function countThreadsOf(uid: number): number {
  const counts = readdirSync('/proc').map((name) =>
    /^\d/.test(name) ? countThreads(name, uid) : 0,
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

/** Each thread is a directory, and so a link to the one above. */
function countThreads(pid: string, uid: number): number {
  const directory = statSync(`/proc/${pid}/task`, { throwIfNoEntry: false })
  return directory?.uid === uid ? directory.nlink - 2 : 0
}
