/**
 * Lines of what anybody in a job may have written, in bounded memory. Pure.
 *
 * @module
 */

/** Ours are shorter; whoever writes longer ones is not asking for anything. */
const MAX_LINE_CHARACTERS = 2_000

export class LineReader {
  #rest = ''
  #isTooLong = false

  /** @returns latin1, those that these bytes complete; without the ones that are too long */
  push(chunk: Uint8Array): string[] {
    const lines = (this.#rest + Buffer.from(chunk).toString('latin1')).split('\n')
    const rest = lines.pop() ?? ''
    if (this.#isTooLong && lines.length > 0) {
      lines.shift()
      this.#isTooLong = false
    }
    this.#isTooLong ||= rest.length > MAX_LINE_CHARACTERS
    this.#rest = this.#isTooLong ? '' : rest
    return lines.filter((line) => line.length <= MAX_LINE_CHARACTERS)
  }
}
