/**
 * Between the files of a job and a store: archives on their way in and out, never whole in memory.
 *
 * @module
 */

import { posix } from 'node:path'
import type { ByteCount } from '../async/waits.ts'
import { CacheError } from '../errors.ts'
import { type ByteString, bytes, mapBytes } from '../files/byte-string.ts'
import { compress, decompress } from './archive/compress.ts'
import { absolutePath, type JobFiles } from './job-files.ts'
import type { CacheStore } from './store.ts'

interface Transfer {
  /** Of the asking shell, as are its user and group. */
  readonly directory: ByteString
  readonly uid: number
  readonly gid: number
  readonly files: JobFiles
  readonly store: CacheStore
  readonly signal: AbortSignal
}

/**
 * @param path as the job wrote it
 * @returns bytes stored; undefined when the key is there already
 */
export async function transferIn(
  { directory, files, store, count, signal }: Transfer & { readonly count: ByteCount },
  key: string,
  path: ByteString,
): Promise<number | undefined> {
  const place = placeOf(directory, path)
  const name = tidy(path)
  // Relative paths stay relative, as long as they stay below the directory they are relative to.
  const isBelow = name !== '..' && !name.startsWith('../')
  if (tidy(place) === '/') {
    throw new CacheError('The root directory cannot be stored', { hint: 'Name a directory in it.' })
  }
  const tar = files.pack(place, isBelow ? name : place, signal)
  return await store.store(key, count.pass(compress(tar)), signal)
}

/** @returns what was restored */
export async function transferOut(
  { directory, uid, gid, files, signal }: Transfer,
  archive: AsyncIterable<Uint8Array>,
): Promise<ByteString> {
  // As tar does it: root gives files back to their owners, everybody else makes them their own.
  const owner = uid === 0 ? undefined : { uid, gid }
  const root = await files.unpack(decompress(archive), { directory, owner, signal })
  if (root !== '') return root
  throw new CacheError('The archive is damaged: there is nothing in it', {
    hint: 'Delete the key and store it again.',
  })
}

/** Of a path as the job wrote it; with a slash at the end, where one says that a link is to be followed. */
export function placeOf(directory: ByteString, path: ByteString): ByteString {
  const place = tidy(absolutePath(directory, path))
  return /\/\.?$/.test(path) ? bytes`${place}/` : place
}

/** Without `.`, `..` where it can be told, and a slash at the end. */
function tidy(path: ByteString): ByteString {
  return mapBytes(path, (it) => posix.normalize(it).replace(/(.)\/$/, '$1'))
}
