/**
 * Where job records are kept. Those of a server are in its state directory, which at most one
 * process uses at a time. Those of `agent run` are where every agent of the user finds them: the
 * next one cleans up what a killed one left.
 *
 * @module
 */

import { readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { explain } from '../errors.ts'
import { makeDirectory } from '../files/make-directory.ts'
import { TEMPORARY_SUFFIX } from '../files/replace-file.ts'
import { createOwnName, isOfDeadProcess } from '../host/agent-identity.ts'
import type { Logger } from '../log.ts'
import { isOwnDirectory } from '../private/ownership.ts'
import {
  commonDirectories,
  existingDirectories,
  openPrivateDirectory,
} from '../private/private-directory.ts'
import { makeOwn } from './directory.ts'
import { RecordedJob, readJobRecord } from './job-record.ts'

const SUFFIX = '.json'

/** Below one of the user's private places. */
const RUN_RECORDS = 'run-records'

export class JobRecords {
  readonly #directory: string

  /** @throws {Error} of the file system */
  static async open(directory: string): Promise<JobRecords> {
    await makeOwn(directory)
    // Left by an agent that was killed while it wrote: the file of the name itself is what counts.
    const torn = (await readdir(directory)).filter((name) => name.endsWith(TEMPORARY_SUFFIX))
    await Promise.all(torn.map((name) => rm(join(directory, name), { force: true })))
    return new JobRecords(directory)
  }

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** The record of a job, found by where its log is. */
  of(logPath: string): RecordedJob {
    return new RecordedJob(join(this.#directory, `${basename(logPath, '.log')}${SUFFIX}`))
  }

  /** In the order in which the jobs began. One that cannot be read is reported, and left alone. */
  async readAll(log: Logger): Promise<RecordedJob[]> {
    return readRecords(this.#directory, (await readdir(this.#directory)).sort(), log)
  }
}

/** For a job of `agent run`. Without a place for it, the record fails as it begins. */
export async function createRunRecord(): Promise<RecordedJob> {
  const directory = join(findRunPlace(), RUN_RECORDS)
  await makeDirectory(directory, 0o700).catch(() => undefined)
  return new RecordedJob(join(directory, `${createOwnName()}${SUFFIX}`))
}

function findRunPlace(): string {
  const places = commonDirectories()
  try {
    return openPrivateDirectory(places)
  } catch {
    return places[0] ?? '/'
  }
}

/** Of jobs of `agent run` whose agent was killed. */
export async function findDeadRuns(log: Logger): Promise<RecordedJob[]> {
  const dead: RecordedJob[] = []
  for (const place of existingDirectories(commonDirectories())) {
    const directory = join(place, RUN_RECORDS)
    const names = (await listOwnDirectory(directory)).filter(isOfDeadProcess)
    for (const name of names.filter((it) => it.endsWith(TEMPORARY_SUFFIX))) {
      await rm(join(directory, name), { force: true })
    }
    dead.push(...readRecords(directory, names, log))
  }
  return dead
}

/** What somebody else has put in its place is not trusted: it could lead anywhere. */
export async function listOwnDirectory(directory: string): Promise<string[]> {
  return isOwnDirectory(directory) ? await readdir(directory) : []
}

function readRecords(directory: string, names: readonly string[], log: Logger): RecordedJob[] {
  return names
    .filter((name) => name.endsWith(SUFFIX))
    .flatMap((name) => {
      const path = join(directory, name)
      try {
        const record = readJobRecord(path)
        return record === undefined ? [] : [new RecordedJob(path, record)]
      } catch (error) {
        log.error(explain(error))
        return []
      }
    })
}
