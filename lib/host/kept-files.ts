/**
 * What a job's private directory holds, so that it can be put back: many a job clears /tmp, and the
 * files by which it is run with it. Synchronous: these are few and small, and every job waits.
 *
 * @module
 */

import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ShellError } from '../errors.ts'

/** Contents by name, of the files right in the directory. */
export type KeptFiles = ReadonlyMap<string, Buffer>

/** @throws {Error} of the file system */
export function readKeptFiles(directory: string): KeptFiles {
  const files = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(files.map(({ name }) => [name, readFileSync(join(directory, name))]))
}

/**
 * @throws {ShellError} when somebody else has put a directory there meanwhile
 * @throws {Error} of the file system
 */
export function putBackKeptFiles(directory: string, files: KeptFiles): void {
  const found = lstatSync(directory, { throwIfNoEntry: false })
  if (found === undefined) mkdirSync(directory, { mode: 0o700 })
  else if (!found.isDirectory() || found.uid !== process.geteuid?.() || (found.mode & 0o077) > 0) {
    throw new ShellError(`${directory}, the job's own directory, is somebody else's by now`, {
      hint: 'Find out who removes it and makes it again, or give the agent a TMPDIR of its own.',
    })
  }
  for (const [name, content] of files) {
    writeFileSync(join(directory, name), content, { mode: 0o600 })
  }
}
