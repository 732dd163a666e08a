/**
 * What a job makes on this machine and whom to tell about it, written down before it is made: when
 * the agent is killed, the next one finds here what to clean up, which log to finish and what to
 * report.
 *
 * @module
 */

import { closeSync, constants, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StateError } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import { isMissing } from '../files/missing.ts'
import { replaceFile } from '../files/replace-file.ts'
import type { HostResources } from '../host/host-resources.ts'
import type { SessionLeader } from '../host/processes.ts'
import { openOwnFile } from '../private/open-own-file.ts'
import type { Callbacks, ExecutorName } from '../request/job-request.ts'

/** A container of a job, by the name the job gives it. */
export interface JobContainer {
  readonly name: string
  readonly id: string
}

/** Plain data. On the disk only its user can read it: the callbacks' token is in it. */
export interface JobRecord {
  readonly id: string
  readonly executor: ExecutorName
  readonly agentPid: number
  /** Of the agent's process, from `identifySelf`: records may be shared with other machines. */
  readonly identity: string
  /** ISO 8601. */
  readonly since: string

  readonly resources: HostResources
  /** The job's shells on this host. */
  readonly leaders: readonly SessionLeader[]
  readonly dockerSocketPath: string
  /** The label of its containers and its network. */
  readonly instanceId: string
  /** All that exist so far. */
  readonly containers: readonly JobContainer[]
  /** Of all that there will be; the commands run in the first. */
  readonly containerNames?: readonly string[] | undefined
  /** Whose `~/.ssh` has the job's keys, and exactly what was added there. */
  readonly keys?: { readonly home: string; readonly text: string } | undefined

  /** Of a job whose log is read by others, so that it has to be finished. */
  readonly logPath?: string | undefined
  /** Those that an agent still has to send. */
  readonly callbacks: Callbacks
  /** Known once the job is through; it may have been reported. */
  readonly result?: JobResult | undefined
  /** The log is finished, but the result could not be reported before the agent exited. */
  readonly callbackPending?: boolean | undefined
}

/** Changes with the meaning of a record: one that a newer or older agent wrote is not guessed at. */
const FORMAT = 2

/** Changes are written one after the other, each as a whole. */
export class RecordedJob {
  readonly path: string
  #record: JobRecord | undefined
  #written: Promise<void> = Promise.resolve()

  constructor(path: string, record?: JobRecord) {
    this.#record = record
    this.path = path
  }

  /** Undefined before it has begun, and once it is removed. */
  get record(): JobRecord | undefined {
    return this.#record
  }

  /** @throws {StateError} when it cannot be written */
  async begin(record: JobRecord): Promise<void> {
    this.#record = record
    await this.#save()
  }

  /** Does nothing for a job that was never recorded. @throws {StateError} */
  async update(change: Partial<JobRecord>): Promise<void> {
    if (this.#record === undefined) return
    this.#record = { ...this.#record, ...change }
    await this.#save()
  }

  /** Nothing of the job is left or has to be reported. Repeatable. @throws {StateError} */
  async remove(): Promise<void> {
    this.#record = undefined
    await this.#change(() => rm(this.path, { force: true }))
  }

  async #save(): Promise<void> {
    const text = JSON.stringify({ format: FORMAT, ...this.#record })
    // It has to survive this process, not the machine: with that, the job's processes die as well.
    await this.#change(() => replaceFile(this.path, text))
  }

  async #change(work: () => Promise<void>): Promise<void> {
    const written = this.#written.then(work).catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new StateError(`The record of this job cannot be written: ${reason}`, {
        hint: `Make ${dirname(this.path)} writable and check that its disk is not full.`,
        cause,
      })
    })
    this.#written = written.catch(() => undefined) // whoever asked for the change gets the error
    await written
  }
}

/**
 * @returns undefined when there is none
 * @throws {StateError} when what is there is not a record of this user's that this agent can read
 */
export function readJobRecord(path: string): JobRecord | undefined {
  try {
    const { format, ...record } = JSON.parse(readOwnFile(path)) as JobRecord & { format?: unknown }
    if (format === FORMAT) return record
    throw new Error(`its format is ${format}`)
  } catch (cause) {
    if (isMissing(cause)) return undefined
    throw new StateError(`The job record ${path} is not one this agent can read`, {
      hint: 'Check by hand whether a job left processes or containers behind, then remove the file.',
      cause,
    })
  }
}

function readOwnFile(path: string): string {
  const descriptor = openOwnFile(path, constants.O_RDONLY)
  try {
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}
