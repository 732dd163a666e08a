/**
 * Lets people into a job while it runs (see lib/access/README.md).
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { explain } from '../errors.ts'
import { kindOf } from '../executors/registry.ts'
import { addKeys, decodeKeys, formatKeys, removeKeys } from '../host/authorized-keys.ts'
import { JUMP_POINT_PATH, writeJumpPoint } from '../host/jump-point.ts'
import type { Logger } from '../log.ts'
import type { JobContainer, RecordedJob } from '../records/job-record.ts'
import type { JobRequest } from '../request/job-request.ts'
import { type AttachSession, attachSessionFile, listAttachSessions } from './attach-sessions.ts'
import { openJobsDirectory, registerJob, unregisterJob } from './registered-jobs.ts'

export interface AccessOptions {
  readonly request: Pick<JobRequest, 'executor' | 'sshPublicKeys'>
  /** Of the user whose `~/.ssh` gets the keys. */
  readonly home: string
  /**
   * Which jobs get the script in `/tmp`: on a laptop only those that bring keys. `never`: only users who
   * can log in anyway get in; the keys of a job are ignored.
   */
  readonly jumpPoint: 'always' | 'never' | 'with-keys'
  readonly recorded: RecordedJob
  readonly log: Logger
}

/**
 * For one job: `open` before it starts, `addContainer` as its containers are created, `close` once
 * nothing of it is left. None of these rejects: failures go to the agent's log, and the job goes on.
 */
export class JobAccess {
  /** What `open` adds to `~/.ssh/authorized_keys`, if anything: for the job's record. */
  readonly keys: string | undefined
  readonly #options: AccessOptions
  readonly #problems: readonly string[]
  #directory: string | undefined

  constructor(options: AccessOptions) {
    const keys = options.jumpPoint === 'never' ? [] : options.request.sshPublicKeys
    const { lines, problems } = decodeKeys(keys)
    // Not the job's id, which may contain a line break followed by a key.
    const tag = randomBytes(6).toString('hex')
    this.keys = lines.length === 0 ? undefined : formatKeys(tag, lines)
    this.#options = options
    this.#problems = problems
  }

  /** The job must have been recorded before. */
  async open(): Promise<void> {
    const { log, home, jumpPoint, recorded } = this.#options
    for (const problem of this.#problems) {
      log.warn(`A public key of the job is ignored: ${problem}`)
    }
    try {
      this.#directory = await registerJob(openJobsDirectory(), recorded.path)
      const { keys } = this
      if (keys !== undefined) await addKeys(home, keys)
      if (keys !== undefined || jumpPoint === 'always') await this.#openJumpPoint(this.#directory)
    } catch (error) {
      log.warn(`Access to this job could not be set up: ${explain(error)}`)
    }
  }

  /** In /tmp, only root can replace the file of another user. */
  async #openJumpPoint(directory: string): Promise<void> {
    try {
      await writeJumpPoint(this.#script(directory))
    } catch (error) {
      const what = `${JUMP_POINT_PATH} does not lead into this job; use agent attach`
      this.#options.log.warn(`${what}. If it belongs to another user, remove it: ${explain(error)}`)
    }
  }

  addContainer(container: JobContainer): void {
    const { log, recorded } = this.#options
    const { containers = [] } = recorded.record ?? {}
    recorded.update({ containers: [...containers, container] }).catch((error: unknown) => {
      log.warn(`Nobody can attach to container "${container.name}": ${explain(error)}`)
    })
  }

  /** All sessions so far, open or ended. */
  async listSessions(): Promise<AttachSession[]> {
    return this.#directory === undefined ? [] : await listAttachSessions(this.#directory)
  }

  /** Open sessions stay; no new ones can be opened. Repeatable. */
  async close(): Promise<void> {
    const { home, log } = this.#options
    try {
      if (this.keys !== undefined) await removeKeys(home, this.keys)
      if (this.#directory !== undefined) await unregisterJob(this.#directory)
    } catch (error) {
      log.warn(`Access to a finished job could not be removed: ${explain(error)}`)
    }
  }

  #script(directory: string): string {
    const target = { directory, sessionPrefix: attachSessionFile(directory, '') }
    return kindOf(this.#options.request.executor).jumpPoint(target)
  }
}
