/**
 * Archives in blocks, many of them on their way at once: one at a time would wait for the network
 * each time. Pure; who calls does the reading and writing.
 *
 * @module
 */

import { inOrder } from '../../async/in-order.ts'
import { inBlocks } from '../blocks.ts'

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
  let bytes = 0
  const writes = inOrder(inBlocks(archive, BLOCK_BYTES), BLOCKS_AT_ONCE, async (block) => {
    const position = bytes
    bytes += block.length
    if (bytes > limitBytes) throw tooLarge()
    await write(block, position)
  })
  while (!(await writes.next()).done); // it writes as it is asked
  return bytes
}

/** Leaving the loop early lets go of what was asked for. */
export async function* readBlocks(
  bytes: number,
  read: (position: number, length: number) => Promise<Buffer>,
): AsyncGenerator<Buffer, void> {
  yield* inOrder(blocksWithin(bytes), BLOCKS_AT_ONCE, (position) =>
    read(position, Math.min(BLOCK_BYTES, bytes - position)),
  )
}

/** Their positions. */
async function* blocksWithin(bytes: number): AsyncGenerator<number, void> {
  for (let position = 0; position < bytes; position += BLOCK_BYTES) yield position
}
