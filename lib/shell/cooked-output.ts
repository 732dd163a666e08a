/**
 * Removes the carriage return that a terminal adds to each line feed, for images without `stty`, where
 * that cannot be turned off. Pure and incremental.
 *
 * @module
 */

const CR = 0x0d
const LF = 0x0a

export class CookedOutput {
  #heldReturn = false

  /** @returns the bytes as the program wrote them, as far as that is known yet */
  push(chunk: Uint8Array): Buffer {
    const written = Buffer.allocUnsafe(chunk.length + 1)
    let length = 0
    for (const byte of chunk) {
      if (this.#heldReturn && byte !== LF) written[length++] = CR
      this.#heldReturn = byte === CR
      if (byte !== CR) written[length++] = byte
    }
    return written.subarray(0, length)
  }

  /** The carriage return that was held back in case a line feed came. */
  end(): Buffer {
    const rest = Buffer.from(this.#heldReturn ? [CR] : [])
    this.#heldReturn = false
    return rest
  }
}
