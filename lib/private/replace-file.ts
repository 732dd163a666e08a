/**
 * A small file for this user alone, replaced as a whole.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'

/**
 * By rename, from a name that nobody can have taken before: the agent may be killed at any moment, and
 * what another user has put under the name, a link for instance, is not written to.
 *
 * @throws {Error} of the file system
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(temporary, content, { mode: 0o600, flag: 'wx' })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
