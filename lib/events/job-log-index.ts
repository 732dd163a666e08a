/**
 * Where each line of a log begins, without remembering every line.
 *
 * @module
 */

/**
 * A place is remembered every so many lines or bytes, whichever comes first: finding a line then
 * takes a search in a small table and one read of less than {@link INDEX_BYTES}, however long the
 * log. Ten million short lines cost 0.6 MB.
 */
const INDEX_LINES = 256

/** Also the most that has to be read to find a line. */
export const INDEX_BYTES = 64 * 1024

/** The beginning of a line. */
export interface Place {
  readonly line: number
  readonly offset: number
}

export class LineIndex {
  #lines = new Float64Array(64)
  #offsets = new Float64Array(64)
  #places = 0
  #lineCount = 0
  #size = 0

  /** Whole lines so far. */
  get lineCount(): number {
    return this.#lineCount
  }

  /** Bytes in those lines. */
  get size(): number {
    return this.#size
  }

  /** @param bytes length of one more line, its newline included */
  add(bytes: number): void {
    const { line, offset } = this.#at(this.#places - 1)
    const isFar =
      this.#lineCount - line >= INDEX_LINES ||
      this.#size - offset >= INDEX_BYTES ||
      this.#places === 0
    if (isFar) this.#remember()
    this.#lineCount += 1
    this.#size += bytes
  }

  /** The last remembered place at or before a line: less than {@link INDEX_BYTES} before it. */
  find(line: number): Place {
    let low = 0
    let high = this.#places - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#at(middle).line <= line) low = middle
      else high = middle - 1
    }
    return this.#at(low)
  }

  #at(place: number): Place {
    return { line: this.#lines[place] ?? 0, offset: this.#offsets[place] ?? 0 }
  }

  #remember(): void {
    if (this.#places === this.#lines.length) {
      this.#lines = doubled(this.#lines)
      this.#offsets = doubled(this.#offsets)
    }
    this.#lines[this.#places] = this.#lineCount
    this.#offsets[this.#places] = this.#size
    this.#places += 1
  }
}

function doubled(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(values.length * 2)
  larger.set(values)
  return larger
}
