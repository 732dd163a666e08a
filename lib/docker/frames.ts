/**
 * Takes apart the stream of a container without a terminal, in which the engine mixes standard
 * output and standard error. Pure: chunks cut anywhere in, whole frames' parts out.
 *
 * @see the Engine API's "Attach to a container", section "Stream format"
 * @module
 */

export interface Frame {
  readonly stream: 'stderr' | 'stdout'
  /** Not necessarily all of what the engine framed together. */
  readonly bytes: Uint8Array
}

const HEADER_BYTES = 8

const STDERR = 2

export async function* readFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Frame, void> {
  const parser = new FrameParser()
  for await (const chunk of chunks) yield* parser.push(chunk)
}

class FrameParser {
  #rest: Buffer = Buffer.alloc(0)
  #stream: Frame['stream'] = 'stdout'
  /** Bytes of the current frame that are still to come. */
  #left = 0

  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = []
    this.#rest = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk])
    while (this.#left > 0 ? this.#rest.length > 0 : this.#readHeader()) {
      const bytes = this.#rest.subarray(0, this.#left)
      this.#rest = this.#rest.subarray(bytes.length)
      this.#left -= bytes.length
      if (bytes.length > 0) frames.push({ stream: this.#stream, bytes })
    }
    return frames
  }

  #readHeader(): boolean {
    if (this.#rest.length < HEADER_BYTES) return false
    this.#stream = this.#rest[0] === STDERR ? 'stderr' : 'stdout'
    this.#left = this.#rest.readUInt32BE(4)
    this.#rest = this.#rest.subarray(HEADER_BYTES)
    return true
  }
}
