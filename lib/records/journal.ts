/**
 * What the running job has made on this machine, written down before it is made: when the agent is
 * killed, the next one finds here what to clear away and whom to tell.
 *
 * @module
 */

import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StateError } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import type { HostTraces } from '../host/job-traces.ts'
import type { Leader } from '../host/processes.ts'
import type { Callbacks, ExecutorName } from '../request/job-request.ts'

/** Plain data. Of mode 0600 on the disk: the callbacks' token is in it. */
export interface JournalEntry {
  readonly id: string
  readonly executor: ExecutorName
  readonly logPath: string
  readonly callbacks: Callbacks
  readonly traces: HostTraces
  readonly leaders: readonly Leader[]
  /** Exactly what was added to `~/.ssh/authorized_keys`. */
  readonly keys?: string | undefined
  /** Known once the job is through; the control plane may have been told of it. */
  readonly result?: JobResult | undefined
  /** The log is finished, but the result could not be reported before the agent exited. */
  readonly callbackPending?: boolean | undefined
}

/** Changes with the meaning of an entry: one that a newer or older agent wrote is not guessed at. */
const FORMAT = 2

export class Journal {
  readonly #path: string
  /** Two changes must not overtake each other. */
  #written: Promise<void> = Promise.resolve()
  #entry: JournalEntry | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** @throws {StateError} when it cannot be written: the job must not go on then */
  async begin(entry: JournalEntry): Promise<void> {
    this.#entry = entry
    await this.#save()
  }

  /** @throws {StateError} */
  async update(change: Partial<JournalEntry>): Promise<void> {
    if (this.#entry === undefined) throw new RangeError('no job has begun')
    this.#entry = { ...this.#entry, ...change }
    await this.#save()
  }

  /** Nothing of the job is left. @throws {StateError} */
  async end(): Promise<void> {
    this.#entry = undefined
    await this.#change(() => rm(this.#path, { force: true }))
  }

  /**
   * @returns what an earlier process of this agent was at when it ended
   * @throws {StateError} when something is there that is no entry
   */
  async read(): Promise<JournalEntry | undefined> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw this.#failure('read', error)
    })
    if (text === undefined) return undefined
    try {
      const { format, ...entry } = JSON.parse(text) as JournalEntry & { format?: unknown }
      if (format === FORMAT) {
        this.#entry = entry
        return entry
      }
    } catch {
      // Told below: what matters is the same as for another format.
    }
    throw new StateError(`The journal ${this.#path} is not one this agent can read`, {
      hint: 'Check by hand whether a job left processes or containers behind, then remove the file.',
    })
  }

  async #save(): Promise<void> {
    const text = JSON.stringify({ format: FORMAT, ...this.#entry })
    // By rename, so that whoever reads it finds the old entry or the new one. Not synced: it has to
    // survive this process; when the machine dies, the job's processes die with it.
    await this.#change(async () => {
      const temporary = `${this.#path}.new`
      await writeFile(temporary, text, { mode: 0o600 })
      await rename(temporary, this.#path)
    })
  }

  async #change(work: () => Promise<void>): Promise<void> {
    const written = this.#written.then(work).catch((cause: unknown) => {
      throw this.#failure('written', cause)
    })
    this.#written = written.catch(() => undefined) // whoever asked for the change gets the error
    await written
  }

  #failure(action: string, cause: unknown): StateError {
    const reason = cause instanceof Error ? cause.message : String(cause)
    return new StateError(`The agent's journal cannot be ${action}: ${reason}`, {
      hint: `Make ${dirname(this.#path)} writable and check that its disk is not full.`,
      cause,
    })
  }
}
