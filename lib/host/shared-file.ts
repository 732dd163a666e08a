/**
 * Text that the agent puts into a file of its user's and takes out again, while the user and other
 * agents change that file too.
 *
 * @module
 */

import {
  appendFile,
  chown,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { takeTurn } from './mutex.ts'

export interface SharedFile {
  readonly path: string
  /** Stands at the head of the file when it was the agent that made it: then the agent removes it. */
  readonly header: string
}

/** A file that somebody changes more often than this while it is looked at is left alone. */
const MAX_TRIES = 10

/** Appends the text; a new file is for this user only. */
export async function addText({ path, header }: SharedFile, text: string): Promise<void> {
  const file = await followLinks(path)
  await takeTurn(file, async () => {
    const isNew = (await readBytes(file)) === undefined
    await appendFile(file, `${isNew ? header : ''}${text}`, { mode: 0o600 })
  })
}

/** Every other byte of the file stays as it is. Repeatable. @throws {Error} of the file system */
export async function removeText({ path, header }: SharedFile, text: string): Promise<void> {
  const file = await followLinks(path)
  await takeTurn(file, async () => {
    for (let tries = 1; tries <= MAX_TRIES; tries++) {
      if (await tryRemove(file, header, text)) return
    }
    throw new Error(`${file} changes all the time: lines of the agent are left in it`)
  })
}

/** @returns false when somebody changed the file meanwhile */
async function tryRemove(file: string, header: string, text: string): Promise<boolean> {
  const before = await stat(file).catch(() => undefined) // gone: there is nothing to remove
  const content = await readBytes(file)
  const own = Buffer.from(text).toString('latin1')
  if (before === undefined || !content?.includes(own)) return true
  const rest = content.replace(own, () => '')
  if (rest === header) {
    await rm(file, { force: true })
    return true
  }
  // By rename: whoever reads it at this moment sees the old file or the new one, never a part.
  const temporary = `${file}.agent-${process.pid}`
  try {
    await writeFile(temporary, rest, { encoding: 'latin1', mode: before.mode & 0o777 })
    await chown(temporary, before.uid, before.gid)
    const now = await stat(file)
    if (now.mtimeMs !== before.mtimeMs || now.size !== before.size) return false
    await rename(temporary, file)
    return true
  } finally {
    await rm(temporary, { force: true })
  }
}

/** People keep such files as links into another directory. */
async function followLinks(path: string): Promise<string> {
  return await realpath(path).catch(() => path)
}

/** latin1 keeps every byte as it is, of files in any encoding; what is added here is UTF-8. */
async function readBytes(path: string): Promise<string | undefined> {
  return await readFile(path, 'latin1').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
