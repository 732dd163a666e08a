/**
 * A directory, with those above it that are missing.
 *
 * Node's own way (`mkdir` with `recursive`) tries for ever where a directory is there and yet "no
 * such file" is the answer to making one in it: below a link that leads nowhere, as to a disk that
 * is not mounted, in /proc, in a directory of an automounter. (Node 24.21.)
 *
 * @module
 */

import { mkdirSync, statSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { bufferOf, bytesOf, mapBytes } from './byte-string.ts'
import { isMissing } from './missing.ts'

/**
 * @param mode of each that is made
 * @returns the outermost that was made; undefined when all were there
 * @throws {Error} of the file system
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<string | undefined> {
  try {
    await mkdir(path, { mode })
    return path
  } catch (error) {
    if (isMissing(error) && path !== dirname(path)) {
      const outermost = await makeDirectory(dirname(path), mode)
      if (outermost === undefined) throw error // the parent exists, so this error is real
      await makeDirectory(path, mode)
      return outermost
    }
    if ((await stat(path).catch(() => undefined))?.isDirectory()) return undefined
    throw error
  }
}

/**
 * {@link makeDirectory} for who cannot wait, and has a path of any bytes.
 *
 * @returns whether there was anything to make
 */
export function makeDirectorySync(path: Buffer, mode = 0o777): boolean {
  try {
    mkdirSync(path, { mode })
    return true
  } catch (error) {
    const parent = bufferOf(mapBytes(bytesOf(path), dirname))
    if (isMissing(error) && !path.equals(parent)) {
      if (!makeDirectorySync(parent, mode)) throw error
      return makeDirectorySync(path, mode)
    }
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return false
    throw error
  }
}
