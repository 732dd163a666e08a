/**
 * The running jobs of a user, from all of that user's agents: each is registered by a directory that
 * exists as long as people can attach to the job. It contains a link to the job's record and a file
 * for each attach session.
 *
 * @module
 */

import { mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from '../files/make-directory.ts'
import { createOwnName, isOfDeadProcess, lifeOf } from '../host/agent-identity.ts'
import { isOwnDirectory } from '../private/ownership.ts'
import {
  commonDirectories,
  existingDirectories,
  openPrivateDirectory,
} from '../private/private-directory.ts'
import { type JobRecord, readJobRecord } from '../records/job-record.ts'
import { listOwnDirectory } from '../records/job-records.ts'

export interface RegisteredJob extends JobRecord {
  readonly directory: string
}

const RECORD_LINK = 'record'

/** Below one of the user's private places. */
const NAME = 'running'

/** @throws {StateError} when there is no place for it */
export function openJobsDirectory(): string {
  return join(openPrivateDirectory(commonDirectories()), NAME)
}

/** All directories in which jobs of this user may be registered. */
export function jobsDirectories(): string[] {
  return existingDirectories(commonDirectories()).map((place) => join(place, NAME))
}

/**
 * @param root from {@link openJobsDirectory}
 * @param recordPath of the job
 * @returns the job's directory
 * @throws {Error} of the file system, or when another user has created something in its place
 */
export async function registerJob(root: string, recordPath: string): Promise<string> {
  await makeDirectory(root, 0o700)
  if (!isOwnDirectory(root)) throw new Error(`${root} is not a directory of this user's`)
  const directory = join(root, createOwnName())
  await mkdir(directory, { mode: 0o700 })
  await symlink(recordPath, join(directory, RECORD_LINK))
  return directory
}

/** @returns undefined when the job is over, or its agent has exited without cleaning up */
export function readRegisteredJob(directory: string): JobRecord | undefined {
  if (!isOwnDirectory(directory)) return undefined
  try {
    const record = readJobRecord(join(directory, RECORD_LINK))
    return record !== undefined && lifeOf(record.identity) === 'alive' ? record : undefined
  } catch {
    return undefined // written by an agent of another version, whose own attach command can read it
  }
}

/** Of one user, the oldest first. */
export async function findRegisteredJobs(roots = jobsDirectories()): Promise<RegisteredJob[]> {
  const found: RegisteredJob[] = []
  for (const root of roots) {
    for (const name of await listOwnDirectory(root)) {
      const directory = join(root, name)
      const record = readRegisteredJob(directory)
      if (record !== undefined) found.push({ ...record, directory })
    }
  }
  return found.sort((a, b) => a.since.localeCompare(b.since))
}

export async function unregisterJob(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
}

/** Unregisters jobs whose agents were killed. @throws {Error} of the file system */
export async function unregisterDeadJobs(roots = jobsDirectories()): Promise<void> {
  for (const root of roots) {
    for (const name of (await listOwnDirectory(root)).filter(isOfDeadProcess)) {
      await unregisterJob(join(root, name))
    }
  }
}
