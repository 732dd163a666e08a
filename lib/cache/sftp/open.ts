/**
 * The SFTP store that a job's variables name, with the job's own key and known hosts.
 *
 * @module
 */

import { CacheError } from '../../errors.ts'
import { encodeBytes } from '../../files/byte-string.ts'
import { absolutePath } from '../job-files.ts'
import type { StoreContext } from '../store-context.ts'
import { parseSftpAddress } from './settings.ts'
import { SftpStore } from './store.ts'

/** An SSH key has 3 KB, a known_hosts file with every host of a company less than this. */
const MAX_FILE_BYTES = 1_048_576

/** @throws {CacheError} when the variables do not add up, or what they name cannot be read */
export async function openSftpStore(context: StoreContext): Promise<SftpStore> {
  const { variables, config } = context
  const address = parseSftpAddress(variables)
  const privateKey = await readSmall(context, address.privateKeyPath)
  const knownHosts = await readKnownHosts(context)
  return new SftpStore({ ...address, privateKey, knownHosts, limitBytes: config.limitBytes })
}

async function readKnownHosts(context: StoreContext): Promise<string> {
  const { variables, files, signal } = context
  const path = `${variables['HOME'] ?? ''}/.ssh/known_hosts`
  if (!(await files.exists(encodeBytes(path), signal))) return ''
  return (await readSmall(context, path)).toString()
}

async function readSmall(
  { directory, files, signal }: StoreContext,
  path: string,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of files.read(absolutePath(directory, encodeBytes(path)), signal)) {
    bytes += chunk.length
    if (bytes > MAX_FILE_BYTES) {
      throw new CacheError(
        `The file ${path} is too large for a private key or a known_hosts file`,
        {
          hint: 'Correct SEMAPHORE_CACHE_PRIVATE_KEY_PATH.',
        },
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
