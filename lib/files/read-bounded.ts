/**
 * Reads the whole of something that somebody has named, unless it is absurdly long.
 *
 * @module
 */

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'

const { O_NOCTTY, O_NONBLOCK, O_RDONLY } = constants

/** Larger than any job by orders of magnitude; a wrong file is not read to its end. */
const MAX_BYTES = 64 * 1024 * 1024

/** Settings, a certificate, a hook, the variables of an environment. */
export const MAX_SMALL_BYTES = 2 * 1024 * 1024

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of its path is not a directory',
}

/**
 * @returns every byte of it
 * @throws {Error} whose message completes "… cannot be read: "
 */
export async function readBounded(
  stream: AsyncIterable<Uint8Array>,
  maxBytes = MAX_BYTES,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of stream) {
      chunks.push(chunk)
      size += chunk.length
      if (size > maxBytes) throw tooLarge(maxBytes)
    }
  } catch (cause) {
    throw explainReason(cause)
  }
  return Buffer.concat(chunks)
}

/**
 * A small file, at once and without ever waiting: under its name may stand, by mistake or by now, a
 * FIFO that nobody writes to, or a device without an end. Others have to be answered meanwhile.
 *
 * @param check of what was opened, before it is read
 * @throws {Error} of the check, or one whose message completes "… cannot be read: "
 */
export function readSmallFile(path: string, check: (stats: Stats) => void = () => {}): string {
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
    const stats = fstatSync(descriptor)
    if (stats.isFIFO()) throw new Error('it is a pipe')
    check(stats)
    return readDescriptor(descriptor).toString('utf8')
  } catch (cause) {
    throw explainReason(cause)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/** To its end, whatever its size is said to be: files in /proc have none, and others grow. */
function readDescriptor(descriptor: number): Buffer {
  const buffer = Buffer.allocUnsafe(MAX_SMALL_BYTES + 1)
  let size = 0
  for (let got = -1; got !== 0; size += got) {
    if (size > MAX_SMALL_BYTES) throw tooLarge(MAX_SMALL_BYTES)
    got = readSync(descriptor, buffer, size, buffer.length - size, null)
  }
  return buffer.subarray(0, size)
}

function tooLarge(maxBytes: number): RangeError {
  return new RangeError(`it is larger than ${maxBytes} bytes`)
}

function explainReason(cause: unknown): Error {
  const { code = '' } = cause as NodeJS.ErrnoException
  const reason = REASONS[code]
  return reason === undefined ? (cause as Error) : new Error(reason, { cause })
}
