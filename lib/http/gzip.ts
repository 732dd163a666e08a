/**
 * Compression of answers for clients that take it.
 *
 * @module
 */

import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { constants, createGzip, gzip, type ZlibOptions } from 'node:zlib'

/**
 * The job needs the processor more than the network needs the last percent: level 1 packs a log
 * about five times. 128 KiB of memory for each stream instead of 256.
 */
const OPTIONS: ZlibOptions = { level: 1, windowBits: 14, memLevel: 7 }

/** Whether an `Accept-Encoding` header allows gzip (RFC 9110, section 12.5.3). */
export function acceptsGzip(header: string | undefined): boolean {
  const qualities = new Map<string, number>()
  for (const item of (header ?? '').toLowerCase().split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim())
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    qualities.set(coding, quality === undefined ? 1 : Number(quality.slice(2)))
  }
  return (qualities.get('gzip') ?? qualities.get('x-gzip') ?? qualities.get('*') ?? 0) > 0
}

export const gzipWhole = (bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> =>
  promisify(gzip)(bytes, OPTIONS)

/** Each chunk can be unpacked as soon as it arrives: a line does not wait for the next one. */
export async function* gzipStream(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const packer = createGzip({ ...OPTIONS, flush: constants.Z_SYNC_FLUSH })
  const feeding = pipeline(chunks, packer)
  feeding.catch(() => undefined) // whoever reads the output gets the error as well
  try {
    yield* packer
  } finally {
    packer.destroy()
  }
}
