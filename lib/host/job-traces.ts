/**
 * By what a job's processes and files on this host are known, and their end. Decided before the job
 * makes any of them, so that an agent that was killed finds them again at its next start.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { removeInjectedFiles } from './injected-files.ts'
import { removeFromLoginProfile } from './login-profile.ts'
import { clockTicksNow, isStillLeader, killJobProcesses, type Leader } from './processes.ts'

/** Plain data. */
export interface HostTraces {
  /** In the environment of every process of the job. */
  readonly cookie: string
  /** The job's private directory. */
  readonly directory: string
  /** Whose login profile names the file with the job's variables. */
  readonly home: string
  /** On the clock by which the kernel dates processes, since the boot named by `bootId`. */
  readonly since: number
  readonly bootId: string
}

/** @param home of the job's shell */
export function planHostTraces(temporaryDirectory: string, home: string): HostTraces {
  return {
    cookie: randomBytes(16).toString('hex'),
    directory: join(temporaryDirectory, `agent-job-${randomBytes(6).toString('hex')}`),
    home,
    since: clockTicksNow(),
    bootId: readBootId(),
  }
}

/** Where the job's exported variables are. */
export function variablesFile({ directory }: HostTraces): string {
  return join(directory, 'env')
}

/**
 * Ends what a job of an earlier process of this agent left. Repeatable.
 *
 * @param leaders the job's shells
 * @throws {AggregateError} when something could not be removed; the rest is
 */
export async function removeHostTraces(
  traces: HostTraces,
  leaders: readonly Leader[],
): Promise<void> {
  const killed = await Promise.allSettled([killLeftProcesses(traces, leaders)])
  const removed = await Promise.allSettled([removeJobFiles(traces)])
  const reasons = [...killed, ...removed].flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  )
  if (reasons.length > 0) throw new AggregateError(reasons, 'Not everything could be removed')
}

/** The job's own and those of its request, once nothing of it runs. Repeatable. @throws {Error} of the file system */
export async function removeJobFiles(traces: HostTraces): Promise<void> {
  await removeFromLoginProfile(traces.home, variablesFile(traces))
  await removeInjectedFiles(traces.directory)
  await rm(traces.directory, { recursive: true, force: true }) // last: it has the notes of the others
}

/** Since a reboot there are none, and their pids and dates mean nothing. */
async function killLeftProcesses(traces: HostTraces, leaders: readonly Leader[]): Promise<void> {
  const { cookie, since, bootId } = traces
  if (bootId !== readBootId()) return
  const pids = leaders.filter(isStillLeader).map(({ pid }) => pid)
  await killJobProcesses({ cookie, since, leaders: new Set(pids) })
}

/** Another one after each boot of the machine. @see man 5 proc, random/boot_id */
function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
