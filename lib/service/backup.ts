/**
 * The service's files before they are replaced, to be restored where the new ones are of no use.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { type Owner, replaceFile } from '../files/replace-file.ts'

/** A file as it was. */
export interface FileBackup {
  readonly path: string
  readonly content: Buffer
  readonly mode: number
  readonly owner: Owner
}

/** Of the files that exist. @throws {Error} of the file system */
export async function backUpFiles(paths: readonly string[]): Promise<FileBackup[]> {
  return await Promise.all(
    paths.filter(existsSync).map(async (path) => {
      const [content, { mode, uid, gid }] = await Promise.all([readFile(path), stat(path)])
      return { path, content, mode: mode & 0o777, owner: { uid, gid } }
    }),
  )
}

export async function restoreFiles(files: readonly FileBackup[]): Promise<void> {
  for (const { path, content, ...attributes } of files) {
    await replaceFile(path, content, attributes)
  }
}
