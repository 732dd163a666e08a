/**
 * What one agent keeps on disk, so that it can resume after its process was killed.
 *
 * @module
 */

import { closeSync, constants, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { explain, StateError } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import { replaceFile } from '../files/replace-file.ts'
import type { Logger } from '../log.ts'
import { openOwnFile } from '../private/open-own-file.ts'

/** A registration that the next process resumes. */
export interface KeptRegistration {
  readonly name: string
  /** The agent's. */
  readonly token: string
  /** Where it is registered. */
  readonly baseUrl: string
  /** Of the settings that the control plane knows: when they change, the agent has to register again. */
  readonly fingerprint: string
}

/** A job that this agent has, as far as the control plane knows. */
export interface KeptJob {
  readonly id: string
  /** Where its log goes. Undefined before its request has come. */
  readonly logUrl?: string | undefined
  /** Lines of its log that the control plane has. */
  readonly position: number
  /** Set once the job is over and its log has been pushed, as far as that was possible. */
  readonly result?: JobResult | undefined
  /** Nothing of its log is left to push. */
  readonly isDelivered?: boolean | undefined
}

interface Content {
  /** Generated when none is configured. */
  readonly madeName?: string | undefined
  readonly registration?: KeptRegistration | undefined
  readonly job?: KeptJob | undefined
}

/** Changes with the meaning of what is kept. */
const FORMAT = 1

/** Each change rewrites the whole file; writes never overlap. */
export class AgentMemory {
  readonly #path: string
  #content: Content
  #written: Promise<void> = Promise.resolve()

  /** An unreadable file is reported and ignored: the agent then registers again. */
  static open(path: string, log: Logger): AgentMemory {
    try {
      return new AgentMemory(path, read(path))
    } catch (error) {
      log.error(
        `The saved state of this agent, ${path}, cannot be read and is ignored: ${explain(error)}`,
      )
      return new AgentMemory(path, {})
    }
  }

  private constructor(path: string, content: Content) {
    this.#path = path
    this.#content = content
  }

  get registration(): KeptRegistration | undefined {
    return this.#content.registration
  }

  get job(): KeptJob | undefined {
    return this.#content.job
  }

  /** A random name, the same until it is forgotten. */
  get madeName(): string | undefined {
    return this.#content.madeName
  }

  /** @throws {StateError} as {@link setRegistration} */
  async setMadeName(madeName: string): Promise<void> {
    await this.#change({ madeName })
  }

  /** @throws {StateError} when it cannot be written; the change still holds until the process ends */
  async setRegistration(registration: KeptRegistration): Promise<void> {
    await this.#change({ registration })
  }

  /** @throws {StateError} as {@link setRegistration} */
  async setJob(job: KeptJob | undefined): Promise<void> {
    await this.#change({ job })
  }

  /** Does nothing for any other job. @throws {StateError} as {@link setRegistration} */
  async updateJob(id: string, change: Omit<Partial<KeptJob>, 'id'>): Promise<void> {
    const { job } = this.#content
    if (job?.id === id) await this.#change({ job: { ...job, ...change } })
  }

  /** Drops the registration and its job; keeps the name. @throws {StateError} */
  async forgetRegistration(): Promise<void> {
    await this.#change({ registration: undefined, job: undefined })
  }

  /** Drops everything. @throws {StateError} */
  async remove(): Promise<void> {
    this.#content = {}
    await this.#queue(() => rm(this.#path, { force: true }))
  }

  async #change(change: Content): Promise<void> {
    this.#content = { ...this.#content, ...change }
    const text = JSON.stringify({ format: FORMAT, ...this.#content })
    await this.#queue(() => replaceFile(this.#path, text))
  }

  async #queue(work: () => Promise<void>): Promise<void> {
    const written = this.#written.then(work).catch((cause: unknown) => {
      throw new StateError('The state of this agent cannot be saved', {
        hint: `Make ${dirname(this.#path)} writable and check that its disk is not full.`,
        cause,
      })
    })
    this.#written = written.catch(() => undefined) // whoever asked for the change gets the error
    await written
  }
}

/** @throws {Error} when it is unreadable, or no such file of this user's */
function read(path: string): Content {
  let descriptor: number
  try {
    descriptor = openOwnFile(path, constants.O_RDONLY)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
  try {
    return parse(readFileSync(descriptor, 'utf8'))
  } finally {
    closeSync(descriptor)
  }
}

/** @throws {Error} that quotes nothing of the text, since tokens are in it */
function parse(text: string): Content {
  let value: Content & { format?: unknown }
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('it is not JSON')
  }
  const { format, ...content } = value
  if (format === FORMAT) return content
  throw new Error(`its format is ${format}`)
}
