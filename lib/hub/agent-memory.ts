/**
 * What one agent keeps on disk, so that it goes on where it was when its process is killed.
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

/** A registration that is taken up again. */
export interface KeptRegistration {
  readonly name: string
  /** Of the agent. */
  readonly token: string
  /** Where it is registered. */
  readonly baseUrl: string
  /** Of the settings that the control plane knows: others need another registration. */
  readonly fingerprint: string
}

/** The control plane believes that this agent has it. */
export interface KeptJob {
  readonly id: string
  /** Where its log goes. Undefined before its request has come. */
  readonly logUrl?: string | undefined
  /** Lines of its log that the control plane has. */
  readonly position: number
  /** Known once it is over and its log pushed, as far as it could be. */
  readonly result?: JobResult | undefined
  /** There is nothing left to be pushed. */
  readonly isDelivered?: boolean | undefined
}

interface Content {
  /** Made when nobody has given one. */
  readonly madeName?: string | undefined
  readonly registration?: KeptRegistration | undefined
  readonly job?: KeptJob | undefined
}

/** Changes with the meaning of what is kept. */
const FORMAT = 1

/** Changes are written one after the other, each as a whole. */
export class AgentMemory {
  readonly #path: string
  #content: Content
  #written: Promise<void> = Promise.resolve()

  /** What cannot be read is reported, and forgotten: the agent registers anew then. */
  static open(path: string, log: Logger): AgentMemory {
    try {
      return new AgentMemory(path, read(path))
    } catch (error) {
      log.error(`What this agent has kept in ${path} cannot be read: ${explain(error)}`)
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

  /** @throws {StateError} when it cannot be written: it counts all the same, until the process ends */
  async setRegistration(registration: KeptRegistration): Promise<void> {
    await this.#change({ registration })
  }

  /** @throws {StateError} as {@link setRegistration} */
  async setJob(job: KeptJob | undefined): Promise<void> {
    await this.#change({ job })
  }

  /** Does nothing when that job is not the one that is kept. @throws {StateError} as {@link setRegistration} */
  async updateJob(id: string, change: Omit<Partial<KeptJob>, 'id'>): Promise<void> {
    const { job } = this.#content
    if (job?.id === id) await this.#change({ job: { ...job, ...change } })
  }

  /** The registration, and what belongs to it. The name stays. @throws {StateError} */
  async forgetRegistration(): Promise<void> {
    await this.#change({ registration: undefined, job: undefined })
  }

  /** Everything. @throws {StateError} */
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
      throw new StateError('What this agent has to remember cannot be written', {
        hint: `Make ${dirname(this.#path)} writable and check that its disk is not full.`,
        cause,
      })
    })
    this.#written = written.catch(() => undefined) // whoever asked for the change gets the error
    await written
  }
}

/** @throws {Error} when there is something else than such a file of this user's */
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

/** @throws {Error} without a word of what is there: tokens are */
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
