/**
 * Chunks of any size, read by so many bytes at a time.
 *
 * @module
 */

const NOTHING: Buffer = Buffer.alloc(0)

export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #held: Buffer = NOTHING

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** The next bytes, which stay; fewer only where it ends. */
  async peek(count: number): Promise<Buffer> {
    const parts = [this.#held]
    let bytes = this.#held.length
    while (bytes < count) {
      const { value, done } = await this.#chunks.next()
      if (done) break
      parts.push(toBuffer(value))
      bytes += value.length
    }
    this.#held = parts.length === 1 ? this.#held : Buffer.concat(parts)
    return this.#held.subarray(0, count)
  }

  /** The next bytes; fewer only where it ends. */
  async take(count: number): Promise<Buffer> {
    const taken = await this.peek(count)
    this.#held = this.#held.subarray(taken.length)
    return taken
  }

  /** All that is left, as it comes. */
  async *rest(): AsyncGenerator<Uint8Array, void> {
    if (this.#held.length > 0) yield this.#held
    this.#held = NOTHING
    for (let it = await this.#chunks.next(); !it.done; it = await this.#chunks.next()) {
      yield it.value
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }
}

function toBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
