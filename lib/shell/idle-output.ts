/**
 * The terminal's output while no directive runs.
 *
 * @module
 */

import type { OnOutput } from './terminal.ts'

/** Beyond this, output stays unread in the terminal. */
const MAX_BYTES = 256 * 1024

export class IdleOutput {
  readonly #chunks: Buffer[] = []
  #bytes = 0

  get isFull(): boolean {
    return this.#bytes > MAX_BYTES
  }

  keep(bytes: Buffer): void {
    this.#chunks.push(Buffer.from(bytes)) // a copy: the chunk it is part of may be reused
    this.#bytes += bytes.length
  }

  /** Output that arrived after the end of a directive is the first output of the next one. */
  async give(onOutput: OnOutput): Promise<void> {
    for (let bytes = this.#chunks.shift(); bytes !== undefined; bytes = this.#chunks.shift()) {
      this.#bytes -= bytes.length
      await onOutput(bytes)
    }
  }
}
