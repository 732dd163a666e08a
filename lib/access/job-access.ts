/**
 * Opens a way into a job for people, and closes it when the job is over (contract, section 9).
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { explain } from '../errors.ts'
import { addKeys, decodeKeys, formatKeys, removeKeys } from '../host/authorized-keys.ts'
import { containerJumpPoint, shellJumpPoint, writeJumpPoint } from '../host/jump-point.ts'
import { identifyLeader } from '../host/processes.ts'
import type { Logger } from '../log.ts'
import type { JobRequest } from '../request/job-request.ts'
import {
  addRunningJob,
  findDeadJobs,
  type JobContainer,
  jobsDirectory,
  listVisitors,
  type RunningJob,
  removeRunningJob,
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
    const { request, home, dockerSocketPath } = options
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
      since: new Date().toISOString(),
      dockerSocketPath,
      containers: [],
      mainContainer: request.compose?.containers[0]?.name,
      keys: this.keys === undefined ? undefined : { home, text: this.keys },
    }
  }

  async open(): Promise<void> {
    const { log, home, jumpPoint } = this.#options
    for (const problem of this.#problems)
      log.warn(`A public key of the job is left out: ${problem}`)
    await removeDeadAccess(log)
    try {
      this.#directory = await addRunningJob(jobsDirectory(), this.#job)
      const { keys } = this
      if (keys !== undefined) await addKeys(home, keys)
      if (keys !== undefined || jumpPoint === 'always') {
        await writeJumpPoint(this.#script(this.#directory))
      }
    } catch (error) {
      log.warn(`Nobody can get into this job from outside: ${explain(error)}`)
    }
  }

  addContainer(container: JobContainer): void {
    this.#written = this.#written.then(async () => {
      this.#job = { ...this.#job, containers: [...this.#job.containers, container] }
      try {
        if (this.#directory !== undefined) await updateRunningJob(this.#directory, this.#job)
      } catch (error) {
        this.#options.log.warn(
          `Nobody can get into container "${container.name}": ${explain(error)}`,
        )
      }
    })
  }

  /** Everybody who has come in so far. */
  async listVisitors(): Promise<Visitor[]> {
    return this.#directory === undefined ? [] : await listVisitors(this.#directory)
  }

  /** Whoever is inside stays; nobody else gets in. Repeatable. */
  async close(): Promise<void> {
    await this.#written
    if (this.#directory !== undefined) {
      await removeAccess({ ...this.#job, directory: this.#directory }, this.#options.log)
    }
  }

  #script(directory: string): string {
    const target = { directory, visitorPrefix: visitorFile(directory, '') }
    if (this.#job.executor === 'shell') return shellJumpPoint(target)
    return containerJumpPoint(target, process.execPath)
  }
}

/** Takes away what agents of this user left that were killed. Never rejects. */
export async function removeDeadAccess(log: Logger): Promise<void> {
  for (const job of await findDeadJobs()) await removeAccess(job, log)
}

async function removeAccess(
  { directory, keys }: RunningJob & { readonly directory: string },
  log: Logger,
): Promise<void> {
  try {
    if (keys !== undefined) await removeKeys(keys.home, keys.text)
    await removeRunningJob(directory) // last: it says what else there is to remove
  } catch (error) {
    log.warn(`The way into a job that is over could not be closed: ${explain(error)}`)
  }
}
