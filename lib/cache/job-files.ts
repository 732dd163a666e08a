/**
 * The files of a job as `cache` sees them, wherever the job runs.
 *
 * Paths are absolute and bytes: only most of them are UTF-8.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { CacheError } from '../errors.ts'
import { type ByteString, bytes, decodeBytes } from '../files/byte-string.ts'

/** Whose the restored files become; absent = as they were stored. */
export interface FileOwner {
  readonly uid: number
  readonly gid: number
}

export interface UnpackOptions {
  /** For relative names. */
  readonly directory: ByteString
  readonly owner: FileOwner | undefined
  readonly signal: AbortSignal
}

/** Implemented for the host and for containers. */
export interface JobFiles {
  /** Whether something stands there; a link counts, wherever it leads. */
  exists(path: ByteString, signal: AbortSignal): Promise<boolean>

  /**
   * The content of a file; links are followed.
   *
   * @throws {CacheError} when it cannot be read
   */
  read(path: ByteString, signal: AbortSignal): AsyncIterable<Uint8Array>

  /**
   * What stands at `path` as a tar, in which it and everything below it is called `name`. Each piece
   * is good until the next one is asked for.
   *
   * @throws {CacheError} when something in it cannot be read, or `path` itself is nothing to keep
   */
  pack(path: ByteString, name: ByteString, signal: AbortSignal): AsyncIterable<Buffer>

  /**
   * Takes a tar apart: relative names under `directory`, absolute ones where they were.
   *
   * @returns the name of the tar's outermost entry
   * @throws {CacheError} for a tar that is damaged, or reaches beyond its outermost entry
   */
  unpack(tar: AsyncIterable<Uint8Array>, options: UnpackOptions): Promise<ByteString>
}

/** @throws {CacheError} when the file cannot be read */
export async function md5Of(
  files: JobFiles,
  path: ByteString,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('md5')
  for await (const chunk of files.read(path, signal)) hash.update(chunk)
  return hash.digest('hex')
}

/** For a path at which there is no file, directory or link: not any more, or never. */
export function notKept(path: ByteString): CacheError {
  return new CacheError(`${decodeBytes(path)} is neither a file nor a directory nor a link`, {
    hint: 'Store a file, a directory or a link: pipes, sockets and devices cannot be cached.',
  })
}

/**
 * For something of the job's that would vanish, without anybody having asked for that. A file or link
 * of the archive replaces a file or link, nothing else does.
 */
export function inTheWay(path: string, is: string, inArchive: string): CacheError {
  return new CacheError(`${path} is ${is}, but ${inArchive} in the archive`, {
    hint: 'Remove or rename it, then restore again.',
  })
}

/** For a file that became shorter: what is stored would be half of one version of it. */
export function changed(path: ByteString, cause?: unknown): CacheError {
  return new CacheError(`${decodeBytes(path)} has changed while it was read`, {
    hint: 'Store it once nothing writes to it any more.',
    cause,
  })
}

/** A path as the client wrote it, as an absolute one. */
export function absolutePath(directory: ByteString, path: ByteString): ByteString {
  return path.startsWith('/') ? path : bytes`${directory}/${path}`
}
