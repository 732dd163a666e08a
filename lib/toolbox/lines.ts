/**
 * Lines of what anybody in a job may have written, in bounded memory. Pure.
 *
 * @module
 */

import { type ByteString, bytes, bytesOf } from '../files/byte-string.ts'

/** Ours are shorter; whoever writes longer ones is not asking for anything. */
const MAX_LINE_CHARACTERS = 2_000

export class LineReader {
  #rest = bytes``
  #isTooLong = false

  /** @returns those that these bytes complete; without the ones that are too long */
  push(chunk: Uint8Array): ByteString[] {
    const lines = bytes`${this.#rest}${bytesOf(chunk)}`.split('\n')
    const rest = lines.pop() ?? bytes``
    if (this.#isTooLong && lines.length > 0) {
      lines.shift()
      this.#isTooLong = false
    }
    this.#isTooLong ||= rest.length > MAX_LINE_CHARACTERS
    this.#rest = this.#isTooLong ? bytes`` : rest
    return lines.filter((line) => line.length <= MAX_LINE_CHARACTERS)
  }
}
