/**
 * Reads a whole stream, unless it is absurdly long.
 *
 * @module
 */

/** Larger than any job by orders of magnitude; a wrong file is not read to its end. */
const MAX_BYTES = 64 * 1024 * 1024

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of its path is no directory',
}

/**
 * @returns every byte of it
 * @throws {Error} whose message completes "… cannot be read: "
 */
export async function readBounded(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of stream) {
      chunks.push(chunk)
      size += chunk.length
      if (size > MAX_BYTES) throw new RangeError(`it is larger than ${MAX_BYTES} bytes`)
    }
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException
    throw new Error(REASONS[code] ?? message, { cause })
  }
  return Buffer.concat(chunks)
}
