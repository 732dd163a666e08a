/**
 * Text that the agent puts into a file of its user's and takes out again, while the user and other
 * agents change that file too.
 *
 * @module
 */

import { constants } from 'node:fs'
import { appendFile, open, readdir, realpath, rename, rm, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type ByteString, bufferOf, bytes, bytesOf, encodeBytes } from '../files/byte-string.ts'
import { makeDirectory } from '../files/make-directory.ts'
import { unlessMissing } from '../files/missing.ts'
import { findForeignEntry, ownUid } from '../private/ownership.ts'
import { createOwnName, isOfDeadProcess } from './agent-identity.ts'
import { withLock } from './mutex.ts'

export interface SharedFile {
  /** Has to be the effective user's own: root would write wherever links in another one lead. */
  readonly home: string
  /** In the home. */
  readonly name: string
  /** Stands at the head of the file when it was the agent that made it: then the agent removes it. */
  readonly header: string
}

/** After the header when the agent has made the file's directory as well: then it removes that, too. */
const DIRECTORY_NOTE = '# and so is its directory\n'

/** Between a file's name and that of the process that writes its new content. */
const TEMPORARY = '.agent-'

/** A file that somebody changes more often than this while it is looked at is left alone. */
const MAX_TRIES = 10

/**
 * Appends the text; a new file is for this user only, and so is a directory that is missing.
 *
 * @throws {Error} of the file system, or when the home is another user's
 */
export async function addText({ home, name, header }: SharedFile, text: string): Promise<void> {
  await requireOwnHome(home, name)
  const file = await followLinks(join(home, name))
  await withLock(async () => {
    const made = await makeDirectory(dirname(file), 0o700)
    const isNew = (await readBytes(file)) === undefined
    const head = isNew ? header : ''
    const note = made === undefined ? '' : DIRECTORY_NOTE
    await appendFile(file, `${head}${note}${text}`, { mode: 0o600 })
  })
}

/** Every other byte of the file stays as it is. Repeatable. @throws {Error} of the file system */
export async function removeText(file: SharedFile, text: string): Promise<void> {
  const own = encodeBytes(text)
  await changeText(file, (content) => cutText(content, own))
}

/** What is left without it. Lines that somebody has added behind it stay lines of their own. */
export function cutText(content: ByteString, text: ByteString): ByteString {
  const start = content.indexOf(text)
  if (start < 0) return content
  const [before, after] = [content.slice(0, start), content.slice(start + text.length)]
  const isJoined = /[^\n]$/.test(before) && /^[^\n]/.test(after)
  return isJoined ? bytes`${before}\n${after}` : bytes`${before}${after}`
}

/**
 * @param change of the whole content; is called again when somebody changed it meanwhile
 * @throws {Error} of the file system
 */
export async function changeText(
  { home, name, header }: SharedFile,
  change: (content: ByteString) => ByteString,
): Promise<void> {
  const file = await followLinks(join(home, name))
  const content = await readBytes(file).catch(() => undefined) // reported below, if it matters
  const torn = await findDeadTemporaries(file)
  if (torn.length === 0 && (content === undefined || change(content) === content)) return
  await requireOwnHome(home, name)
  await withLock(async () => {
    for (const path of torn) await rm(path, { force: true })
    for (let tries = 1; tries <= MAX_TRIES; tries++) {
      if (await tryChange(file, header, change)) return
    }
    throw new Error(`${file} changes all the time: lines of the agent are left in it`)
  })
}

/** New contents that an agent was writing when it was killed. */
async function findDeadTemporaries(file: string): Promise<string[]> {
  const prefix = `${basename(file)}${TEMPORARY}`
  const names = await readdir(dirname(file)).catch(() => []) // reported below, if it matters
  return names
    .filter((name) => name.startsWith(prefix) && isOfDeadProcess(name.slice(prefix.length)))
    .map((name) => join(dirname(file), name))
}

/** @returns false when somebody changed the file meanwhile */
async function tryChange(
  file: string,
  header: string,
  change: (content: ByteString) => ByteString,
): Promise<boolean> {
  const before = await stat(file).catch(() => undefined) // gone: there is nothing to remove
  const content = await readBytes(file)
  if (before === undefined || content === undefined) return true
  const rest = change(content)
  if (rest === content) return true
  if (rest === header || rest === header + DIRECTORY_NOTE) {
    await rm(file, { force: true })
    if (rest !== header) await rmdir(dirname(file)).catch(() => undefined) // not empty: no longer ours
    return true
  }
  // By rename: whoever reads it at this moment sees the old file or the new one, never a part.
  const temporary = `${file}${TEMPORARY}${createOwnName()}`
  try {
    await using handle = await open(temporary, 'wx', 0o600)
    await handle.writeFile(bufferOf(rest))
    await handle.chown(before.uid, before.gid)
    await handle.chmod(before.mode & 0o777)
    const now = await stat(file)
    if (now.mtimeMs !== before.mtimeMs || now.size !== before.size) return false
    await rename(temporary, file)
    return true
  } finally {
    await rm(temporary, { force: true })
  }
}

/** @throws {Error} when what is written below that name could end with another user */
export async function requireOwnHome(home: string, name: string): Promise<void> {
  const { uid } = await stat(home)
  const foreign = uid === ownUid() ? findForeignEntry(join(home, name)) : home
  if (foreign === undefined) return
  throw new Error(`${foreign} is another user's (HOME=${home}): nothing is written there`)
}

/** People keep such files as links into another directory. */
async function followLinks(path: string): Promise<string> {
  return await realpath(path).catch(() => path)
}

/**
 * The file may be in any encoding. A job may have left a FIFO there: opening it must not wait for a
 * writer that never comes.
 */
async function readBytes(path: string): Promise<ByteString | undefined> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK
  await using handle = await unlessMissing(open(path, flags))
  if (handle === undefined) return undefined
  if (!(await handle.stat()).isFile()) throw new Error(`${path} is not a regular file`)
  return bytesOf(await handle.readFile())
}
