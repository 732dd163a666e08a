/**
 * A control group for each job on this host, where the agent may make one: as root, or in a subtree
 * that was delegated to it (`Delegate=` of a systemd unit). A process cannot leave it by shedding
 * its environment, its session and its parent, as daemons do, and all of it is killed in one go.
 *
 * This is also where a job's use of resources can be read: `cpu.stat`, and what controllers add.
 * None is enabled here: that would forbid processes in the agent's own group, the agent among them.
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html
 * @module
 */

import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../files/missing.ts'
import { findOwnCgroup } from './cgroup-mount.ts'

/** @returns the directory of a group to be made; undefined on a host without such groups */
export function planCgroup(): string | undefined {
  try {
    const own = findOwnCgroup(
      readFileSync('/proc/self/cgroup', 'utf8'),
      readFileSync('/proc/self/mountinfo', 'utf8'),
    )
    return own && join(own, `agent-job-${randomBytes(6).toString('hex')}`)
  } catch {
    return undefined // no /proc/self/cgroup: a kernel without them
  }
}

/** Repeatable. Where the agent may make none, what follows does nothing. */
export function makeCgroup(directory: string): void {
  try {
    mkdirSync(directory)
  } catch {
    // EACCES or EROFS, as a rule: a job is then known by its cookie alone.
  }
}

/**
 * Puts a process into the group, and what it may have started meanwhile: the kernel takes some ten
 * milliseconds for it, in which the main thread does something else.
 */
export async function addToCgroup(directory: string, pid: number): Promise<void> {
  try {
    await writeFile(join(directory, 'cgroup.procs'), String(pid), { flag: 'r+' })
  } catch {
    return // it has ended already, or there is no group
  }
  for (const child of childrenOf(pid)) await addToCgroup(directory, child)
}

/** Of the group and those that were made in it. */
export function processesInCgroup(directory: string): number[] {
  return groupsIn(directory).flatMap((group) =>
    read(join(group, 'cgroup.procs')).split('\n').filter(Boolean).map(Number),
  )
}

/** What is in the group at this moment ends; before version 2 had a word for it, what forks may need a second call. */
export function killCgroup(directory: string): void {
  if (write(join(directory, 'cgroup.kill'), '1')) return
  const groups = groupsIn(directory)
  for (const group of groups) freeze(group, true)
  for (const pid of processesInCgroup(directory)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // ESRCH: it has ended by itself.
    }
  }
  for (const group of groups) freeze(group, false)
}

/** Repeatable. @returns false while anything runs in it */
export function removeCgroup(directory: string): boolean {
  try {
    for (const group of groupsIn(directory).reverse()) rmdirSync(group)
    return true
  } catch (error) {
    return isMissing(error) // else EBUSY
  }
}

/** Parents before their children. */
function groupsIn(directory: string): string[] {
  try {
    const inner = readdirSync(directory, { withFileTypes: true })
    const groups = inner.filter((entry) => entry.isDirectory())
    return [directory, ...groups.flatMap(({ name }) => groupsIn(join(directory, name)))]
  } catch {
    return [] // it is gone, or was never made
  }
}

function freeze(group: string, isFrozen: boolean): void {
  if (write(join(group, 'cgroup.freeze'), isFrozen ? '1' : '0')) return
  write(join(group, 'freezer.state'), isFrozen ? 'FROZEN' : 'THAWED')
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // gone since, or of threads alone
  }
}

/** Only to a file that is there: a kernel makes none in such a directory, but a plain disk would. */
function write(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'r+' })
    return true
  } catch {
    return false
  }
}
