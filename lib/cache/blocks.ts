/**
 * Chunks of any size as blocks of one.
 *
 * @module
 */

/**
 * @param size of each in bytes; only the last may be smaller
 * @param free blocks of that size that nobody needs any more, to be filled again: left to the
 *   collector, large ones pile up
 */
export async function* inBlocks(
  chunks: AsyncIterable<Uint8Array>,
  size: number,
  free: Buffer[] = [],
): AsyncGenerator<Buffer, void> {
  const nextBlock = () => free.pop() ?? Buffer.allocUnsafe(size)
  let block = nextBlock()
  let filled = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(chunk.length - at, size - filled)
      block.set(chunk.subarray(at, at + taken), filled)
      at += taken
      filled += taken
      if (filled < size) continue
      yield block
      block = nextBlock()
      filled = 0
    }
  }
  if (filled > 0) yield block.subarray(0, filled)
}
