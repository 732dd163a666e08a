/**
 * What a job has on this host, its processes and files: how to find and how to remove them. Decided
 * before the job makes any of them, so that the start after a crash finds them as well.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { throwFailures } from '../async/settle-all.ts'
import { isOwnDirectory } from '../private/ownership.ts'
import { openProgramDirectory } from '../private/private-directory.ts'
import { readBootId } from './agent-identity.ts'
import { planCgroup } from './cgroup.ts'
import { planSpares, removeSpares } from './handover.ts'
import { removeInjectedFiles } from './injected-files.ts'
import { removeFromLoginProfile } from './login-profile.ts'
import { clockTicksNow, isStillLeader, killJobProcesses, type SessionLeader } from './processes.ts'

/** Plain data. */
export interface HostResources {
  /** In the environment of every process of the job. */
  readonly cookie: string
  /** Directory of its control group, where the agent may make one. */
  readonly cgroup?: string | undefined
  /** The job's private directory, of a job on this host. */
  readonly directory?: string | undefined
  /** Where its files are when that directory takes none; made for the moment. */
  readonly spares?: readonly string[] | undefined
  /** Whose login profile names the file with the job's variables. */
  readonly home: string
  /** On the clock by which the kernel dates processes, since the boot named by `bootId`. */
  readonly since: number
  readonly bootId: string
  /** In which the paths mean what they did. */
  readonly mountNamespace?: string | undefined
}

export interface ResourcePlan {
  /** The first in which nobody else can write gets the job's directory. */
  readonly privateDirectories: readonly string[]
  /** Of the job's shell. */
  readonly home: string
}

/** Of a job on this host. @throws {StateError} when it has nowhere to be */
export function planHostResources({ privateDirectories, home }: ResourcePlan): HostResources {
  const resources = planProcessResources(home)
  return {
    ...resources,
    directory: planDirectory(privateDirectories),
    spares: planSpares(privateDirectories, resources.cookie),
  }
}

/** Of a job that is elsewhere and has no more than processes here. */
export function planProcessResources(home: string): HostResources {
  return {
    cookie: randomBytes(16).toString('hex'),
    cgroup: planCgroup(),
    home,
    since: clockTicksNow(),
    bootId: readBootId(),
    mountNamespace: readMountNamespace(),
  }
}

function planDirectory(places: readonly string[]): string {
  return join(openProgramDirectory(places), 'jobs', randomBytes(6).toString('hex'))
}

/**
 * Whether this process sees the job's files: one with another /tmp would take those it does not see
 * for gone, and forget them. After a reboot no namespace of before is there.
 */
export function canSeeFiles({ bootId, mountNamespace }: HostResources): boolean {
  if (mountNamespace === undefined || bootId !== readBootId()) return true
  return mountNamespace === readMountNamespace()
}

function readMountNamespace(): string {
  return readlinkSync('/proc/self/ns/mnt')
}

/** Where the job's exported variables are. */
export function variablesFile(directory: string): string {
  return join(directory, 'env')
}

/**
 * Ends what a job of an earlier process of this agent left. Repeatable.
 *
 * @param leaders the job's shells
 * @throws {Error} when something could not be removed, or an AggregateError; the rest is
 */
export async function removeHostResources(
  resources: HostResources,
  leaders: readonly SessionLeader[],
): Promise<void> {
  const killed = await Promise.allSettled([killLeftProcesses(resources, leaders)])
  const removed = await Promise.allSettled([removeJobFiles(resources)])
  throwFailures([...killed, ...removed], 'Not everything could be removed')
}

/**
 * The job's own and those of its request, once nothing of it runs. What has come to stand in the place
 * of the job's directory is not believed: it could name any file. Repeatable.
 *
 * @throws {Error} of the file system
 */
export async function removeJobFiles({ directory, spares, home }: HostResources): Promise<void> {
  if (directory === undefined) return
  await removeSpares(spares ?? [])
  await removeFromLoginProfile(home, variablesFile(directory))
  if (!isOwnDirectory(directory)) return
  await removeInjectedFiles(directory)
  await rm(directory, { recursive: true, force: true }) // last: it has the notes of the others
}

/** Since a reboot there are none, and their pids and dates mean nothing. */
async function killLeftProcesses(
  resources: HostResources,
  leaders: readonly SessionLeader[],
): Promise<void> {
  const { cookie, cgroup, since, bootId } = resources
  if (bootId !== readBootId()) return
  const pids = leaders.filter(isStillLeader).map(({ pid }) => pid)
  await killJobProcesses({ cookie, cgroup, since, leaders: new Set(pids) })
}
