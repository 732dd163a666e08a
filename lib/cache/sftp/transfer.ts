/**
 * Archives in blocks, many of them on their way at once: one at a time would wait for the network
 * each time. Pure; who calls does the reading and writing.
 *
 * @module
 */

/** Servers take 32 KiB at least, most of them 255. */
const BLOCK_BYTES = 131_072

/** 4 MiB in all: what keeps a fast line busy over 30 ms. */
const BLOCKS_AT_ONCE = 32

export interface BlockWriter {
  write(block: Buffer, position: number): Promise<void>
  tooLarge(): Error
}

/** @returns bytes written; rejects once no write is under way any more */
export async function writeBlocks(
  archive: AsyncIterable<Uint8Array>,
  limitBytes: number,
  { write, tooLarge }: BlockWriter,
): Promise<number> {
  const pending: Array<Promise<void>> = []
  let bytes = 0
  try {
    for await (const block of blocksOf(archive)) {
      const writing = write(block, bytes)
      writing.catch(() => undefined) // awaited below, in its turn
      pending.push(writing)
      bytes += block.length
      if (bytes > limitBytes) throw tooLarge()
      if (pending.length >= BLOCKS_AT_ONCE) await pending.shift()
    }
    await Promise.all(pending)
  } finally {
    await Promise.allSettled(pending)
  }
  return bytes
}

/** Leaving the loop early lets go of what was asked for. */
export async function* readBlocks(
  bytes: number,
  read: (position: number, length: number) => Promise<Buffer>,
): AsyncGenerator<Buffer, void> {
  const pending: Array<Promise<Buffer>> = []
  let asked = 0
  try {
    for (;;) {
      while (asked < bytes && pending.length < BLOCKS_AT_ONCE) {
        const length = Math.min(BLOCK_BYTES, bytes - asked)
        const reading = read(asked, length)
        reading.catch(() => undefined) // awaited below, in its turn
        pending.push(reading)
        asked += length
      }
      const next = pending.shift()
      if (next === undefined) return
      yield await next
    }
  } finally {
    await Promise.allSettled(pending)
  }
}

async function* blocksOf(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  let block = Buffer.allocUnsafe(BLOCK_BYTES)
  let filled = 0
  for await (const chunk of archive) {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(chunk.length - at, BLOCK_BYTES - filled)
      block.set(chunk.subarray(at, at + taken), filled)
      at += taken
      filled += taken
      if (filled < BLOCK_BYTES) continue
      yield block
      block = Buffer.allocUnsafe(BLOCK_BYTES)
      filled = 0
    }
  }
  if (filled > 0) yield block.subarray(0, filled)
}
