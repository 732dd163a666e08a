/**
 * Replacing a file as a whole.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { chmod, chown, rename, rm, writeFile } from 'node:fs/promises'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

export interface ReplaceOptions {
  /** Default: for its owner alone. */
  readonly mode?: number
  /** Default: the user of this process. */
  readonly owner?: Owner
}

/** The name of a file that is being written ends with this: whoever was killed meanwhile left it behind. */
export const TEMPORARY_SUFFIX = '.new'

const PRIVATE = 0o600

/**
 * By rename: readers see the old file or the new one, and what another user has put under the name,
 * a link for instance, is not written to. Not synced to the disk.
 *
 * @throws {Error} of the file system
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  { mode = PRIVATE, owner }: ReplaceOptions = {},
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}${TEMPORARY_SUFFIX}`
  try {
    await writeFile(temporary, content, { mode: mode & PRIVATE, flag: 'wx' })
    if (owner !== undefined) await chown(temporary, owner.uid, owner.gid)
    if (mode !== PRIVATE) await chmod(temporary, mode) // whatever this process's umask is
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
