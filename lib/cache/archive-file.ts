/**
 * One file of the cache in a directory: a frame every zstd reader skips, with the key and the
 * checksum of the rest, and the rest: the archive.
 *
 * @module
 */

import { type FileHandle, open } from 'node:fs/promises'
import { CacheError } from '../errors.ts'
import { unlessMissing } from '../files/missing.ts'

export interface ArchiveHeader {
  readonly key: string
  readonly sha256: string
}

/** @see RFC 8878, 3.1.2, "Skippable Frames" */
const SKIPPABLE_MAGIC = 0x184d2a50
export const HEADER_BYTES = 8_192

const READ_BYTES = 1_048_576

export async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await unlessMissing(open(path, 'r+')) // for writing as well: only so may its times be set
  } catch (error) {
    throw unusable(path, error)
  }
}

/** @returns the key of a file whose name is too short for it; empty when it is unknown */
export async function readKey(path: string): Promise<string> {
  const file = await openIfThere(path)
  if (file === undefined) return ''
  try {
    return (await readHeader(file)).key
  } finally {
    await file.close()
  }
}

/** @returns an empty one for a damaged file: whoever opens its archive reports and removes it */
export async function readHeader(file: FileHandle): Promise<ArchiveHeader> {
  const { buffer } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
  try {
    const { key, sha256 } = JSON.parse(buffer.toString('utf8', 8)) as Partial<ArchiveHeader>
    return { key: String(key), sha256: String(sha256) }
  } catch {
    return { key: '', sha256: '' }
  }
}

export function encodeHeader(header: ArchiveHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES, ' ')
  bytes.writeUInt32LE(SKIPPABLE_MAGIC, 0)
  bytes.writeUInt32LE(HEADER_BYTES - 8, 4)
  bytes.write(JSON.stringify(header), 8)
  return bytes
}

/**
 * From one open file, which stays readable when another agent removes it meanwhile. Each piece is
 * good until the next one is asked for.
 */
export async function* readArchive(
  file: FileHandle,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  for (let at = HEADER_BYTES; ; ) {
    signal.throwIfAborted()
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

export async function writeAll(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten
  }
}

export function unusable(path: string, cause: unknown): CacheError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new CacheError(`The cache in ${path} cannot be used: ${reason}`, {
    hint: "Check that the agent's user can write there and that the disk has room, or name another directory with --cache-dir.",
    cause,
  })
}
