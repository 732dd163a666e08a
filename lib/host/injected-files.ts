/**
 * Files that a job's request has put onto this host: written down as they are made, so that they go
 * with the job, also when its agent is killed. What stood there before the job stays.
 *
 * @module
 */

import { appendFile, lstat, readFile, rmdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeDirectory } from '../files/make-directory.ts'
import { unlessMissing } from '../files/missing.ts'
import { findForeignEntry } from '../private/ownership.ts'

interface Note {
  readonly path: string
  /** The outermost directory that had to be made for it. */
  readonly madeDirectory?: string | undefined
}

/**
 * Makes the directories on the way to a file, and notes what will be new.
 *
 * @param directory the job's own
 * @throws {Error} of the file system
 */
export async function makeWayFor(path: string, directory: string): Promise<void> {
  const isThere = await lstat(path).then(
    () => true,
    () => false,
  )
  const madeDirectory = await makeDirectory(dirname(path))
  if (isThere) return
  const note: Note = { path, madeDirectory }
  await appendFile(notesIn(directory), `${JSON.stringify(note)}\n`, { mode: 0o600 })
}

/** The last one first. Repeatable; what is gone is no error. @throws {Error} of the file system */
export async function removeInjectedFiles(directory: string): Promise<void> {
  for (const { path, madeDirectory } of (await readNotes(directory)).reverse()) {
    if (findForeignEntry(path) !== undefined) continue // a job has cleared /tmp, and another user come first
    await unlink(path).catch(ignoreReplaced)
    if (madeDirectory !== undefined) await removeEmpty(dirname(path), madeDirectory)
  }
}

/** It is gone, or the job has made a directory of it, or a file of one above it: that is the job's own. */
function ignoreReplaced(error: NodeJS.ErrnoException): void {
  if (!['EISDIR', 'ENOENT', 'ENOTDIR'].includes(error.code ?? '')) throw error
}

function notesIn(directory: string): string {
  return join(directory, 'injected')
}

async function readNotes(directory: string): Promise<Note[]> {
  const text = (await unlessMissing(readFile(notesIn(directory), 'utf8'))) ?? ''
  const lines = text.split('\n').slice(0, -1) // the last may be torn: its file was not made yet
  return lines.map((line) => JSON.parse(line) as Note)
}

/** From the inside out, as far as the job has left nothing of its own there. */
async function removeEmpty(inner: string, outermost: string): Promise<void> {
  for (let directory = inner; directory.startsWith(outermost); directory = dirname(directory)) {
    try {
      await rmdir(directory)
    } catch {
      return // not empty, or gone
    }
  }
}
