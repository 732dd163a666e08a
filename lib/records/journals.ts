/**
 * The journals of all jobs that are not reported yet: the running one, and those whose last callback
 * is still pending.
 *
 * @module
 */

import { readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { explain } from '../errors.ts'
import type { Logger } from '../log.ts'
import { makeOwn } from './directory.ts'
import { Journal, type JournalEntry } from './journal.ts'

/** What an earlier process of this agent was at when it ended. */
export interface OpenJournal {
  readonly journal: Journal
  readonly entry: JournalEntry
}

export class Journals {
  readonly #directory: string

  /** @throws {Error} of the file system */
  static async open(directory: string): Promise<Journals> {
    await makeOwn(directory)
    // Of an agent that was killed as it wrote: what stands under the name itself is what counts.
    const torn = (await readdir(directory)).filter((name) => name.endsWith('.json.new'))
    await Promise.all(torn.map((name) => rm(join(directory, name), { force: true })))
    return new Journals(directory)
  }

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** The journal of a job, found by where its log is. */
  of(logPath: string): Journal {
    return new Journal(join(this.#directory, `${basename(logPath, '.log')}.json`))
  }

  /** In the order in which the jobs began. One that cannot be read is told, and left alone. */
  async readAll(log: Logger): Promise<OpenJournal[]> {
    const names = (await readdir(this.#directory)).filter((name) => name.endsWith('.json')).sort()
    const open: OpenJournal[] = []
    for (const name of names) {
      const journal = new Journal(join(this.#directory, name))
      try {
        const entry = await journal.read()
        if (entry !== undefined) open.push({ journal, entry })
      } catch (error) {
        log.error(explain(error))
      }
    }
    return open
  }
}
