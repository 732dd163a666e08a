/**
 * The logs of the last jobs, found by the id of the job, the oldest removed when there are too many.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { readdir, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { JobLog } from '../events/job-log.ts'
import { isMissing, unlessMissing } from '../files/missing.ts'
import type { Logger } from '../log.ts'
import { makeOwn } from './directory.ts'
import { removeKeptRequest } from './kept-requests.ts'

/** Beyond either, the oldest logs are removed. The last one always stays: somebody waits for it. */
export interface KeptLimits {
  readonly count: number
  readonly bytes: number
}

interface KeptLog {
  readonly path: string
  /** Open or opening; an earlier process's log only once somebody asks for it. */
  log?: Promise<JobLog> | undefined
}

/** Below the state directory. */
export const LOGS = 'logs'

/** When it began, in ms, or later than the one before, and which job it is of: an id may hold anything, and be of any length. */
const FILE_NAME = /^(\d{13,})-([0-9a-f]{32})\.log$/

export class KeptLogs {
  readonly #directory: string
  readonly #limits: KeptLimits
  readonly #log: Logger
  /** By {@link keyOf}, in the order they began. */
  readonly #kept = new Map<string, KeptLog>()
  /** By {@link keyOf}: not to be removed. */
  readonly #held = new Set<string>()
  #lastNumber = 0

  /** Finds what earlier processes left. @throws {Error} of the file system */
  static async open(directory: string, limits: KeptLimits, log: Logger): Promise<KeptLogs> {
    await makeOwn(directory)
    const kept = new KeptLogs(directory, limits, log)
    const found = (await readdir(directory)).flatMap((name) => {
      const [, number, key] = FILE_NAME.exec(name) ?? []
      return key === undefined ? [] : [{ name, number: Number(number), key }]
    })
    for (const { name, number, key } of found.sort((a, b) => a.number - b.number)) {
      kept.#kept.set(key, { path: join(directory, name) })
      kept.#lastNumber = number
    }
    return kept
  }

  private constructor(directory: string, limits: KeptLimits, log: Logger) {
    this.#directory = directory
    this.#limits = limits
    this.#log = log
  }

  has(id: string): boolean {
    return this.#kept.has(keyOf(id))
  }

  /** Where that job's log is; undefined when none is kept. */
  pathOf(id: string): string | undefined {
    return this.#kept.get(keyOf(id))?.path
  }

  /** Somebody still needs that job's log, which need not be there yet: it is not removed. Repeatable. */
  hold(id: string): void {
    this.#held.add(keyOf(id))
  }

  /** The opposite of {@link hold}. */
  release(id: string): void {
    this.#held.delete(keyOf(id))
  }

  /** Where the log of a new job will be. Names keep the order of jobs, also when the clock is set back. */
  pathFor(id: string): string {
    this.#lastNumber = Math.max(Date.now(), this.#lastNumber + 1)
    return join(this.#directory, `${this.#lastNumber}-${keyOf(id)}.log`)
  }

  /** From now on this is the log of that job. Its errors are for whoever opens it, not for readers. */
  put(id: string, path: string, log: Promise<JobLog>): void {
    const key = keyOf(id)
    this.#kept.delete(key) // a Map keeps the place of a key that is set again
    this.#kept.set(key, { path, log })
    log.catch(() => {
      if (this.#kept.get(key)?.path === path) this.#kept.delete(key)
    })
  }

  /** @throws {JobLogError} when it was kept and cannot be read any more */
  async get(id: string): Promise<JobLog | undefined> {
    const kept = this.#kept.get(keyOf(id))
    if (kept === undefined) return undefined
    kept.log ??= reopen(kept.path)
    try {
      return await kept.log
    } catch (error) {
      kept.log = undefined // the next reader may have more luck
      if (!isGone(error)) throw error
      this.#kept.delete(keyOf(id))
      return undefined
    }
  }

  /** Removes those that could not be kept where they belong: no later process would find them. */
  async close(): Promise<void> {
    const strays = [...this.#kept.values()].filter(({ path }) => dirname(path) !== this.#directory)
    await Promise.all(strays.map(({ path }) => this.#remove(path)))
  }

  /**
   * Removes what is over the limits. Never rejects: a log too many harms nobody.
   *
   * @param needed ids of jobs whose logs stay in any case and do not count, as those that are held
   */
  async prune(needed: ReadonlySet<string> = new Set()): Promise<void> {
    const neededKeys = new Set([...this.#held, ...[...needed].map(keyOf)])
    const over = [...this.#kept].filter(([key]) => !neededKeys.has(key))
    const sizes = await Promise.all(over.map(([, { path }]) => sizeOf(path)))
    let total = sizes.reduce((sum, size) => sum + size, 0)
    let left = over.length
    for (const [index, [key, { path }]] of over.entries()) {
      if (left <= 1 || (left <= this.#limits.count && total <= this.#limits.bytes)) return
      this.#kept.delete(key)
      left -= 1
      total -= sizes[index] ?? 0
      await this.#remove(path)
    }
  }

  async #remove(path: string): Promise<void> {
    try {
      await rm(path, { force: true })
      await rm(`${path}.reserve`, { force: true })
      await removeKeptRequest(path)
      if (dirname(path) !== this.#directory) await rmdir(dirname(path)) // was made for it alone
    } catch (error) {
      this.#log.warn(`The log ${path} is no longer needed, but cannot be removed: ${String(error)}`)
    }
  }
}

/**
 * Also while an agent uses the directory: nothing is opened.
 *
 * @param stateDirectory of any agent
 * @returns where the log of that job is; undefined when none is kept
 * @throws {Error} of the file system
 */
export async function findKeptLog(stateDirectory: string, id: string): Promise<string | undefined> {
  const directory = join(stateDirectory, LOGS)
  const names = (await unlessMissing(readdir(directory))) ?? []
  const name = names.sort().findLast((it) => FILE_NAME.exec(it)?.[2] === keyOf(id))
  return name === undefined ? undefined : join(directory, name)
}

/** Nobody writes to it any more, finished or not. */
async function reopen(path: string): Promise<JobLog> {
  const log = await JobLog.reopen(path)
  await log.close()
  return log
}

function isGone(error: unknown): boolean {
  return error instanceof Error && error.cause !== undefined && isMissing(error.cause)
}

function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 32)
}

async function sizeOf(path: string): Promise<number> {
  const stats = await stat(path).catch(() => undefined) // gone: it takes no room
  return stats?.size ?? 0
}
