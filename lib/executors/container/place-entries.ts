/**
 * Entries of an archive on their way into a container: each gets the name it will have there.
 *
 * @module
 */

import { posix } from 'node:path'
import { PathGuard } from '../../cache/archive/path-guard.ts'
import { absolutePath, type UnpackOptions } from '../../cache/job-files.ts'
import { type ByteString, bytes, mapBytes } from '../../files/byte-string.ts'
import { rewriteTar } from '../../tar/rewrite.ts'

export interface PlacedEntries {
  readonly guard: PathGuard
  /** A tar to be unpacked at the container's root. */
  readonly input: AsyncGenerator<Buffer, void>
  /** Absolute place of the outermost entry, as soon as it has been read. */
  readonly outermost: () => ByteString | undefined
}

/** @throws {CacheError} while iterating, for an entry that leads out of the outermost one */
export function placeEntries(
  tar: AsyncIterable<Uint8Array>,
  { directory, owner }: Omit<UnpackOptions, 'signal'>,
): PlacedEntries {
  const guard = new PathGuard()
  let outermost: ByteString | undefined
  // Only the outermost name can be one that has to be tidied: the guard admits no other.
  const place = (name: ByteString) => {
    const above = outermost === undefined || outermost === '/' ? bytes`` : outermost
    return bytes`${above}${name.slice(guard.root?.length)}`.slice(1)
  }
  const input = rewriteTar(tar, (entry) => {
    guard.admit(entry)
    outermost ??= mapBytes(absolutePath(directory, entry.name), (it) => posix.join('/', it))
    if (entry.type === 'other') return undefined
    const target = entry.type === 'link' ? place(entry.target) : entry.target
    return { ...entry, ...owner, name: place(entry.name), target }
  })
  return { guard, input, outermost: () => outermost }
}
