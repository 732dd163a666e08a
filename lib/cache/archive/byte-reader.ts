/**
 * Chunks of any size, read by so many bytes at a time.
 *
 * @module
 */

export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  /** Of the last chunk, which may be filled again as soon as the next is asked for. */
  #held: Uint8Array = new Uint8Array()

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** The next bytes, which stay; fewer only where it ends. */
  async peek(count: number): Promise<Buffer> {
    const parts = [Buffer.from(this.#held)]
    let bytes = this.#held.length
    while (bytes < count) {
      const { value, done } = await this.#chunks.next()
      if (done) break
      parts.push(Buffer.from(value))
      bytes += value.length
    }
    this.#held = Buffer.concat(parts)
    return Buffer.from(this.#held.subarray(0, count))
  }

  /**
   * The next bytes; fewer only where it ends.
   *
   * @param into has room for them, and is where they are
   */
  async take(count: number, into: Buffer): Promise<Buffer> {
    let filled = 0
    for (;;) {
      const taken = this.#held.subarray(0, count - filled)
      into.set(taken, filled)
      filled += taken.length
      this.#held = this.#held.subarray(taken.length)
      if (filled === count) break
      const { value, done } = await this.#chunks.next()
      if (done) break
      this.#held = value
    }
    return into.subarray(0, filled)
  }

  /** All that is left, as it comes, to keep. */
  async *rest(): AsyncGenerator<Uint8Array, void> {
    if (this.#held.length > 0) yield Buffer.from(this.#held)
    this.#held = new Uint8Array()
    for (let it = await this.#chunks.next(); !it.done; it = await this.#chunks.next()) {
      yield Buffer.from(it.value)
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }
}
