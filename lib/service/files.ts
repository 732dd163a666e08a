/**
 * The service's own files: written as a whole, and put back where the new ones are of no use.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { chmod, chown, readFile, rename, stat, writeFile } from 'node:fs/promises'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** A file as it was. */
export interface FileBackup extends Owner {
  readonly path: string
  readonly content: Buffer
  readonly mode: number
}

/** Secret even from members of the user's group. */
const PRIVATE = 0o600

/** For its owner alone. */
export async function writePrivate(path: string, text: string, owner: Owner): Promise<void> {
  await replaceFile(path, text, PRIVATE)
  await chown(path, owner.uid, owner.gid)
}

/** By rename, so that it is never there half. */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  mode: number,
): Promise<void> {
  const temporary = `${path}.new`
  await writeFile(temporary, content, { mode })
  await chmod(temporary, mode)
  await rename(temporary, path)
}

/** Those that are there. @throws {Error} of the file system */
export async function backUpFiles(paths: readonly string[]): Promise<FileBackup[]> {
  return await Promise.all(
    paths.filter(existsSync).map(async (path) => {
      const [content, { mode, uid, gid }] = await Promise.all([readFile(path), stat(path)])
      return { path, content, mode: mode & 0o777, uid, gid }
    }),
  )
}

export async function restoreFiles(files: readonly FileBackup[]): Promise<void> {
  for (const { path, content, mode, uid, gid } of files) {
    await replaceFile(path, content, mode)
    await chown(path, uid, gid)
  }
}
