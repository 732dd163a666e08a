/** Bytes as a cache store takes and gives them. */

import { createHash, randomBytes } from 'node:crypto'

export interface Archive {
  readonly bytes: number
  readonly sha256: string
  /** From the beginning, each time it is asked for. */
  read(): AsyncGenerator<Buffer, void>
}

const CHUNK_BYTES = 262_144

/** Bytes nothing can compress, the same each time it is read. */
export function createArchive(bytes: number): Archive {
  const chunk = randomBytes(CHUNK_BYTES)
  const chunks = function* () {
    for (let at = 0; at < bytes; at += CHUNK_BYTES) {
      const copy = Buffer.from(chunk.subarray(0, Math.min(CHUNK_BYTES, bytes - at)))
      copy.write(String(at)) // no two blocks are alike
      yield copy
    }
  }
  const hash = createHash('sha256')
  for (const part of chunks()) hash.update(part)
  return {
    bytes,
    sha256: hash.digest('hex'),
    async *read() {
      yield* chunks()
    },
  }
}

export async function sha256Of(archive: AsyncIterable<Uint8Array> | undefined): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of archive ?? []) hash.update(chunk)
  return hash.digest('hex')
}
