/**
 * Files by which the agent hands its shell what to run: in the job's own directory, and where that
 * takes none (its disk is full, or has become read-only) for a moment in another place.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { mkdir, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { UndeliveredError } from '../errors.ts'
import { isOwnDirectory } from '../private/ownership.ts'
import { canBeTyped } from '../private/private-directory.ts'

/** Likely to be on another disk, or on none. Others may write there, but not into a directory of one's own. */
const OPEN_PLACES = ['/dev/shm', '/var/tmp']

/**
 * Directories to be made when they are needed, in the order of trust.
 *
 * @param cookie known to the job alone, so that nobody else can have made them before
 */
export function planSpares(privateDirectories: readonly string[], cookie: string): string[] {
  const name = `agent-job-${createHash('sha256').update(cookie).digest('hex').slice(0, 16)}`
  const places = new Set([...privateDirectories, ...OPEN_PLACES, tmpdir()])
  return [...places].filter(canBeTyped).map((place) => join(place, name))
}

/** The job's own directory, as far as it matters here. */
interface OwnDirectory {
  readonly path: string
  isThere(): boolean
  remove(file: string): void
}

export class Handover {
  readonly #own: OwnDirectory
  readonly #spares: readonly string[]

  constructor(own: OwnDirectory, spares: readonly string[]) {
    this.#own = own
    this.#spares = spares
  }

  /**
   * @returns where the file is: not always in the job's own directory
   * @throws {UndeliveredError} when there is no place for it
   * @throws {ShellError} when somebody else has taken the place of the job's directory
   */
  async write(name: string, content: Uint8Array | string): Promise<string> {
    const reasons: string[] = []
    const own = this.#own.isThere() ? [this.#own.path] : []
    for (const directory of [...own, ...this.#spares]) {
      const path = join(directory, name)
      try {
        if (directory !== this.#own.path) await makeSpare(directory)
        writeFileSync(path, content, { mode: 0o600 }) // three threads in turn would take longer than the disk
        return path
      } catch (error) {
        reasons.push(...describe(directory, error as NodeJS.ErrnoException))
        await this.remove(path)
      }
    }
    throw new UndeliveredError(
      `The command could not be handed to the shell: there is no room for its file. ${reasons.join('; ')}`,
      { hint: 'Make room there, or give the agent another place with TMPDIR.' },
    )
  }

  /** What cannot be removed goes with the job. */
  async remove(path: string): Promise<void> {
    const directory = dirname(path)
    try {
      if (directory === this.#own.path) return this.#own.remove(path)
      await rm(path, { force: true })
      await rmdir(directory)
    } catch {
      // Read-only by now, or not empty: another file is there as long as its shell runs.
    }
  }
}

/** Those that an agent left that was killed meanwhile. @throws {Error} of the file system */
export async function removeSpares(spares: readonly string[]): Promise<void> {
  for (const directory of spares) {
    if (isOwnSpare(directory)) await rm(directory, { recursive: true, force: true })
  }
}

function isOwnSpare(directory: string): boolean {
  try {
    return isOwnDirectory(directory)
  } catch {
    return false // the place is closed to this user, or no directory: nothing was made in it
  }
}

/** A place that this host does not have is no reason. */
function describe(directory: string, { code, message }: NodeJS.ErrnoException): string[] {
  if (code === 'ENOENT') return []
  const [reason] = message.split(',', 1) // what follows is the system call, and a path or none
  return [`${directory}: ${reason}`]
}

async function makeSpare(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST' || !isOwnDirectory(directory)) throw error
  })
}
