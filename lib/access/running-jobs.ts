/**
 * The jobs that run on this host, each a directory that is there as long as its job: by these a
 * person who has logged in finds the way into a job.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Life, lifeOf } from '../host/agent-identity.ts'
import type { HostTraces } from '../host/job-traces.ts'
import { isAlive, type Leader } from '../host/processes.ts'
import { makeDirectory } from '../make-directory.ts'
import { isOwnDirectory, ownUid } from '../private/ownership.ts'
import { commonPlaces, existingPlaces, openPrivatePlace } from '../private/place.ts'
import type { ExecutorName } from '../request/job-request.ts'

/** A container of a job, by the name the job gives it. */
export interface JobContainer {
  readonly name: string
  readonly id: string
}

/** What a job makes on this host and on the engine, known before it makes it. */
export interface Remains {
  readonly traces: HostTraces
  /** The job's shells on this host. */
  readonly leaders: readonly Leader[]
  /** By which its containers and its network are labelled. */
  readonly instanceId: string
}

/** Plain data, without secrets. */
export interface RunningJob {
  readonly id: string
  readonly executor: ExecutorName
  /** The process that runs it: when that is gone, so is the job. */
  readonly agent: Leader
  /** The same for who may be on another machine or after another boot: a home can be on a network. */
  readonly identity?: string | undefined
  /** ISO 8601. */
  readonly since: string
  readonly dockerSocketPath: string
  /** All that are made so far. */
  readonly containers: readonly JobContainer[]
  /** Of all that there will be; the commands run in the first. */
  readonly containerNames?: readonly string[] | undefined
  /** Whose `~/.ssh` has the job's keys, and exactly what was added there. */
  readonly keys?: { readonly home: string; readonly text: string } | undefined
  /** Of an agent that keeps no journal: for the next one, should this one be killed. */
  readonly remains?: Remains | undefined
}

export interface Found extends RunningJob {
  readonly directory: string
}

const JOB_FILE = 'job.json'

const VISITOR = 'visitor-'

/** Below one of the user's private places. */
const NAME = 'running'

/** Of older agents, whose jobs may have left something. */
const FORMER_PARENT = '/tmp/agent-jobs-'

/** Where jobs of this user are written down. @throws {StateError} when there is no place for that */
export function openJobsDirectory(): string {
  return join(openPrivatePlace(commonPlaces()), NAME)
}

/** All in which there may be jobs of this user. */
export function jobsDirectories(): string[] {
  const places = existingPlaces(commonPlaces()).map((place) => join(place, NAME))
  return [...places, `${FORMER_PARENT}${ownUid()}`]
}

/**
 * Makes the directory of a job.
 *
 * @param root of the user's jobs, from {@link openJobsDirectory}
 * @throws {Error} of the file system, or when somebody else has put something in its place
 */
export async function addRunningJob(root: string, job: RunningJob): Promise<string> {
  await makeDirectory(root, 0o700)
  if (!isOwnDirectory(root)) throw new Error(`${root} is not a directory of this user's`)
  const directory = join(root, randomBytes(6).toString('hex'))
  await mkdir(directory, { mode: 0o700 })
  await updateRunningJob(directory, job)
  return directory
}

/** By rename: whoever reads it at this moment finds the old state or the new one. */
export async function updateRunningJob(directory: string, job: RunningJob): Promise<void> {
  const file = join(directory, JOB_FILE)
  await writeFile(`${file}.new`, JSON.stringify(job), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

/** @returns undefined when the job is over, or its agent has ended without clearing up */
export async function readRunningJob(directory: string): Promise<RunningJob | undefined> {
  const job = await readJobFile(directory)
  return job !== undefined && lifeOfAgent(job) === 'alive' ? job : undefined
}

/** Of one user, the oldest first. */
export async function findRunningJobs(roots = jobsDirectories()): Promise<Found[]> {
  const found: Found[] = []
  for (const directory of await entriesOf(roots)) {
    const job = await readRunningJob(directory)
    if (job !== undefined) found.push({ ...job, directory })
  }
  return found.sort((a, b) => a.since.localeCompare(b.since))
}

/** What agents left that ended without clearing up. */
export async function findDeadJobs(roots = jobsDirectories()): Promise<Found[]> {
  const dead: Found[] = []
  for (const directory of await entriesOf(roots)) {
    const job = await readJobFile(directory)
    if (job !== undefined && lifeOfAgent(job) === 'dead') dead.push({ ...job, directory })
  }
  return dead
}

export async function removeRunningJob(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
}

/** From now on that process is one with a person in it. Nothing is made for a job that is over. */
export async function addVisitor(directory: string, pid: number): Promise<void> {
  const file = visitorFile(directory, pid)
  await writeFile(file, '', { mode: 0o600, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error // an earlier visitor had the same pid
  })
}

/** Also written by the jump point of a job on the host, which is a script. */
export function visitorFile(directory: string, pid: number | string): string {
  return join(directory, `${VISITOR}${pid}`)
}

export interface Visitor {
  readonly pid: number
  /** Not left yet. */
  readonly isThere: boolean
}

/** Everybody who has come into the job so far. */
export async function listVisitors(directory: string): Promise<Visitor[]> {
  const names = await readdir(directory).catch(() => [])
  return names
    .filter((name) => name.startsWith(VISITOR))
    .map((name) => Number(name.slice(VISITOR.length)))
    .map((pid) => ({ pid, isThere: isAlive({ pid }) }))
}

/** What somebody else has put in their place is not believed: it could lead anywhere. */
async function entriesOf(roots: readonly string[]): Promise<string[]> {
  const entries = roots.filter(isOwnDirectory).map(async (root) => {
    const names = await readdir(root)
    return names.map((name) => join(root, name))
  })
  return (await Promise.all(entries)).flat()
}

function lifeOfAgent({ agent, identity }: RunningJob): Life {
  if (identity !== undefined) return lifeOf(identity)
  return isAlive(agent) ? 'alive' : 'dead'
}

async function readJobFile(directory: string): Promise<RunningJob | undefined> {
  try {
    if (!isOwnDirectory(directory)) return undefined
    return JSON.parse(await readFile(join(directory, JOB_FILE), 'utf8')) as RunningJob
  } catch {
    return undefined // the job is over, or has hardly begun
  }
}
