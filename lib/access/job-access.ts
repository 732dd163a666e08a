/**
 * Opens a way into a job for people, and closes it when the job is over (see lib/access/README.md).
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { explain } from '../errors.ts'
import { kindOf } from '../executors/registry.ts'
import { identifySelf } from '../host/agent-identity.ts'
import { addKeys, decodeKeys, formatKeys } from '../host/authorized-keys.ts'
import { JUMP_POINT_PATH, writeJumpPoint } from '../host/jump-point.ts'
import { identifyLeader, type Leader } from '../host/processes.ts'
import type { Logger } from '../log.ts'
import type { JobRequest } from '../request/job-request.ts'
import { clearDeadJobs, closeAccess } from './dead-jobs.ts'
import {
  addRunningJob,
  type JobContainer,
  listVisitors,
  openJobsDirectory,
  type Remains,
  type RunningJob,
  updateRunningJob,
  type Visitor,
  visitorFile,
} from './running-jobs.ts'

export interface AccessOptions {
  readonly request: Pick<JobRequest, 'compose' | 'executor' | 'id' | 'sshPublicKeys'>
  /** Of the user whose `~/.ssh` gets the keys. */
  readonly home: string
  readonly dockerSocketPath: string
  /** Which jobs get the script in `/tmp`: on a laptop only those that bring keys. */
  readonly jumpPoint: 'always' | 'with-keys'
  /** What has to be removed when this process is killed, unless a journal tells of it. */
  readonly remains?: Remains | undefined
  readonly log: Logger
}

/**
 * For one job: `open` before it starts, `addContainer` as its containers are made, `close` once
 * nothing of it is left. None of these ever rejects: what does not work is told in the agent's log,
 * and the job goes on.
 */
export class JobAccess {
  /** Exactly what `open` adds to `~/.ssh/authorized_keys`, if anything: for a journal. */
  readonly keys: string | undefined
  readonly #options: AccessOptions
  readonly #problems: readonly string[]
  #job: RunningJob
  #directory: string | undefined
  /** Two changes must not overtake each other. */
  #written: Promise<void> = Promise.resolve()

  constructor(options: AccessOptions) {
    const { request, home, dockerSocketPath, remains } = options
    const { lines, problems } = decodeKeys(request.sshPublicKeys)
    // Not the job's id: that one may hold a line break, and a key behind it.
    const tag = randomBytes(6).toString('hex')
    this.keys = lines.length === 0 ? undefined : formatKeys(tag, lines)
    this.#options = options
    this.#problems = problems
    this.#job = {
      id: request.id,
      executor: request.executor,
      agent: identifyLeader(process.pid),
      identity: identifySelf(),
      since: new Date().toISOString(),
      dockerSocketPath,
      containers: [],
      containerNames: request.compose?.containers.map(({ name }) => name),
      keys: this.keys === undefined ? undefined : { home, text: this.keys },
      remains,
    }
  }

  async open(): Promise<void> {
    const { log, home, jumpPoint } = this.#options
    for (const problem of this.#problems)
      log.warn(`A public key of the job is left out: ${problem}`)
    await clearDeadJobs(home, log)
    try {
      this.#directory = await addRunningJob(openJobsDirectory(), this.#job)
      const { keys } = this
      if (keys !== undefined) await addKeys(home, keys)
      if (keys !== undefined || jumpPoint === 'always') await this.#openJumpPoint(this.#directory)
    } catch (error) {
      log.warn(`Access to this job could not be set up: ${explain(error)}`)
    }
  }

  /** In /tmp nobody but root replaces the file of another user. */
  async #openJumpPoint(directory: string): Promise<void> {
    try {
      await writeJumpPoint(this.#script(directory))
    } catch (error) {
      const what = `${JUMP_POINT_PATH} does not lead into this job, only agent attach does`
      this.#options.log.warn(`${what}. If it is another user's, remove it: ${explain(error)}`)
    }
  }

  addContainer(container: JobContainer): void {
    const what = `Nobody can get into container "${container.name}"`
    void this.#update(what, (job) => ({ ...job, containers: [...job.containers, container] }))
  }

  /** Awaited before a directive runs in that shell. */
  async addLeader(leader: Leader): Promise<void> {
    const what = "Cannot record this job's processes; they will survive if the agent is killed"
    await this.#update(what, ({ remains, ...job }) => ({
      ...job,
      remains: remains && { ...remains, leaders: [...remains.leaders, leader] },
    }))
  }

  /** Everybody who has come in so far. */
  async listVisitors(): Promise<Visitor[]> {
    return this.#directory === undefined ? [] : await listVisitors(this.#directory)
  }

  /** Whoever is inside stays; nobody else gets in. Repeatable. */
  async close(): Promise<void> {
    await this.#written
    if (this.#directory !== undefined) {
      await closeAccess({ ...this.#job, directory: this.#directory }, this.#options.log)
    }
  }

  async #update(warning: string, change: (job: RunningJob) => RunningJob): Promise<void> {
    this.#written = this.#written.then(async () => {
      this.#job = change(this.#job)
      try {
        if (this.#directory !== undefined) await updateRunningJob(this.#directory, this.#job)
      } catch (error) {
        this.#options.log.warn(`${warning}: ${explain(error)}`)
      }
    })
    await this.#written
  }

  #script(directory: string): string {
    const target = { directory, visitorPrefix: visitorFile(directory, '') }
    return kindOf(this.#job.executor).jumpPoint(target)
  }
}
