/**
 * A job's private directory, and what it holds, so that it can be put back: a job may remove any file
 * of its user's, and those by which it is run among them. Synchronous: these are few and small, and
 * every job waits.
 *
 * @module
 */

import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { ShellError } from '../errors.ts'
import { makeDirectorySync } from '../files/make-directory.ts'
import { isOwn } from '../private/ownership.ts'
import { Handover } from './handover.ts'

const PRIVATE = 0o700

export class JobDirectory {
  readonly path: string
  readonly handover: Handover
  #made: Stats
  /** Contents by name, of the files right in it. */
  #kept: ReadonlyMap<string, Buffer> = new Map()

  /**
   * @param spares where files are when this takes none
   * @throws {Error} of the file system, also when something of that name is there
   */
  constructor(path: string, spares: readonly string[]) {
    this.path = path
    this.handover = new Handover(this, spares)
    this.#made = makeNew(path)
  }

  /**
   * Looked at before each use of what is in it: by name alone it could be anybody's.
   *
   * @returns false when it is gone
   * @throws {ShellError} when something else is in its place
   */
  isThere(): boolean {
    const found = lstatSync(this.path, { throwIfNoEntry: false })
    if (found === undefined) return false
    if (this.#isMade(found)) return true
    if (found.isDirectory() && isOwn(found)) return false // the job's user has made it again
    throw new ShellError(`${this.path}, the job's own directory, is somebody else's by now`, {
      hint: "Find out what removes and recreates it, or give the agent's user a home of its own.",
    })
  }

  /** A file in it, unless something else is in its place. What cannot be removed goes with the job. */
  remove(file: string): void {
    try {
      if (this.#isMade(lstatSync(this.path))) rmSync(file, { force: true })
    } catch {
      // It is gone already, or its disk has become read-only.
    }
  }

  /** Remembers the files that are in it now, if it is there. @throws {Error} of the file system */
  keep(): void {
    if (!this.isThere()) return
    const files = readdirSync(this.path, { withFileTypes: true }).filter((entry) => entry.isFile())
    this.#kept = new Map(files.map(({ name }) => [name, readFileSync(join(this.path, name))]))
  }

  /** Makes it again, with the files that were kept. @throws {Error} of the file system */
  restore(): void {
    if (!this.isThere()) {
      rmSync(this.path, { recursive: true, force: true })
      this.#made = makeNew(this.path)
    }
    for (const [name, content] of this.#kept) {
      writeFileSync(join(this.path, name), content, { mode: 0o600 })
    }
  }

  #isMade(found: Stats): boolean {
    return found.dev === this.#made.dev && found.ino === this.#made.ino && isOwn(found)
  }
}

function makeNew(path: string): Stats {
  makeDirectorySync(Buffer.from(dirname(path)), PRIVATE)
  mkdirSync(path, { mode: PRIVATE })
  return lstatSync(path)
}
