/**
 * Writes the archive: for its owner alone.
 *
 * @module
 */

import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { OutputError } from '../errors.ts'
import { replaceFile } from '../files/replace-file.ts'
import { packArchive } from '../tar/pack.ts'
import type { Part } from './parts.ts'

/**
 * @param directory in which the parts are when it is unpacked
 * @throws {OutputError}
 */
export async function writeArchive(
  path: string,
  directory: string,
  parts: readonly Part[],
): Promise<void> {
  const owner = { mode: 0o600, uid: 0, gid: 0 }
  const entries = parts.map(({ name, content }) => {
    return { path: `${directory}/${name}`, content, ...owner }
  })
  const tar = Buffer.concat(await packArchive(entries).toArray())
  try {
    await replaceFile(path, await promisify(gzip)(tar))
  } catch (cause) {
    throw new OutputError(`${path} cannot be written: ${(cause as Error).message}`, {
      hint: 'Name a file in a directory that you can write to: --output FILE.',
      cause,
    })
  }
}
