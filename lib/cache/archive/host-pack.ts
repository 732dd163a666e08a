/**
 * A file or directory of this host as a tar, piece by piece.
 *
 * Small files are read synchronously: each of the three calls it takes costs microseconds, but as
 * many hops to the thread pool; what is large is read there.
 *
 * @module
 */

import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { CacheError } from '../../errors.ts'
import { type ByteString, bufferOf, bytes, bytesOf, decodeBytes } from '../../files/byte-string.ts'
import { isMissing } from '../../files/missing.ts'
import { END_OF_TAR, encodeHeader, padding, type TarEntry } from '../../tar/header.ts'
import { changed, notKept } from '../job-files.ts'

/** Handed on at once: fewer, larger pieces keep the compressor busy. */
const PIECE_BYTES = 262_144

const SMALL_FILE_BYTES = 65_536

/** Of a file that was looked at: a link or a pipe that has come in its place is neither followed nor waited for. */
const AS_IT_WAS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

interface Place {
  readonly path: ByteString
  readonly name: ByteString
}

/**
 * @param name of the outermost entry in the tar
 * @throws {CacheError} when something cannot be read
 */
export async function* packHostPath(
  path: ByteString,
  name: ByteString,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const links = new Map<string, ByteString>()
  const places: Place[] = [{ path, name }]
  let pieces: Buffer[] = []
  let size = 0
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    const found = look(place, links)
    if (found === undefined) {
      if (place.path === path) throw notKept(path)
      continue
    }
    const { entry } = found
    if (entry.type === 'directory') places.push(...children(place))
    const content = smallContent(place, entry)
    pieces.push(encodeHeader(entry), ...content)
    size += entry.size + 512
    if (size < PIECE_BYTES && content.length > 0 === entry.size > 0) continue

    signal.throwIfAborted()
    yield Buffer.concat(pieces)
    pieces = []
    size = 0
    if (content.length === 0 && entry.size > 0) yield* largeContent(place, entry, signal)
  }
  yield Buffer.concat([...pieces, END_OF_TAR])
}

/** @returns undefined for what no cache keeps, and what has gone since its directory was read */
function look(
  { path, name }: Place,
  links: Map<string, ByteString>,
): { entry: TarEntry } | undefined {
  try {
    const stats = lstatSync(bufferOf(path))
    const type = typeOf(stats)
    if (type === undefined) return undefined
    const known =
      stats.isFile() && stats.nlink > 1 ? links.get(`${stats.dev}:${stats.ino}`) : undefined
    if (stats.isFile() && stats.nlink > 1) links.set(`${stats.dev}:${stats.ino}`, known ?? name)
    const target = type === 'symlink' ? bytesOf(readlinkSync(bufferOf(path), 'buffer')) : bytes``
    return {
      entry: {
        name,
        type: known === undefined ? type : 'link',
        mode: stats.mode & 0o7777,
        uid: stats.uid,
        gid: stats.gid,
        size: type === 'file' && known === undefined ? stats.size : 0,
        mtime: Math.floor(stats.mtimeMs / 1_000),
        target: known ?? target,
      },
    }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw unreadable(path, error)
  }
}

function typeOf(stats: Stats): 'directory' | 'file' | 'symlink' | undefined {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'directory'
  return stats.isSymbolicLink() ? 'symlink' : undefined
}

/** The last first: they are taken from the end. */
function children({ path, name }: Place): Place[] {
  const above = path.endsWith('/') ? path : bytes`${path}/`
  try {
    return readdirSync(bufferOf(path), 'buffer')
      .map((child) => bytesOf(child))
      .sort()
      .reverse()
      .map((child) => ({ path: bytes`${above}${child}`, name: bytes`${name}/${child}` }))
  } catch (error) {
    throw unreadable(path, error)
  }
}

/** @returns nothing when it is large */
function smallContent({ path }: Place, { type, size }: TarEntry): Buffer[] {
  if (type !== 'file' || size === 0 || size > SMALL_FILE_BYTES) return []
  try {
    const content = Buffer.allocUnsafe(size)
    const file = openSync(bufferOf(path), AS_IT_WAS)
    try {
      let read = 0
      while (read < size) {
        const got = readSync(file, content, read, size - read, null)
        if (got === 0) throw changed(path)
        read += got
      }
    } finally {
      closeSync(file)
    }
    return [content, padding(size)]
  } catch (error) {
    throw error instanceof CacheError ? error : unreadable(path, error)
  }
}

async function* largeContent(
  { path }: Place,
  { size }: TarEntry,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const file = await open(bufferOf(path), AS_IT_WAS).catch((error) =>
    Promise.reject(unreadable(path, error)),
  )
  try {
    const buffer = Buffer.allocUnsafe(4 * PIECE_BYTES) // one for all: left to the collector, they pile up
    for (let left = size; left > 0; ) {
      signal.throwIfAborted()
      const wanted = Math.min(left, buffer.length)
      const { bytesRead } = await file.read(buffer, 0, wanted, null)
      if (bytesRead === 0) throw changed(path)
      left -= bytesRead
      yield buffer.subarray(0, bytesRead)
    }
    yield padding(size)
  } finally {
    await file.close()
  }
}

function unreadable(path: ByteString, cause: unknown): CacheError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new CacheError(`${decodeBytes(path)} cannot be read: ${reason}`, {
    hint: "Make it readable for the agent's user, or store less.",
    cause,
  })
}
