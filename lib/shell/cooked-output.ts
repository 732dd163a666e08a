/**
 * Undoes what a terminal does to output in an image that has no `stty` to forbid it: each line feed
 * comes with a carriage return of the terminal's own. Pure and incremental.
 *
 * @module
 */

const CR = 0x0d
const LF = 0x0a

export class CookedOutput {
  #heldReturn = false

  /** @returns the bytes as the program wrote them, as far as that is certain */
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
