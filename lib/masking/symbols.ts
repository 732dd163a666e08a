/**
 * Text as the symbols that a reader sees, each with its position, so that a pattern is also found when
 * line breaks or colours are in the middle of it. Pure.
 *
 * @module
 */

const BRACKET = 0x5b

/** Anything longer is not treated as a control sequence. */
const MAX_SEQUENCE = 64

/** Symbols further apart than this do not belong together, which bounds how much is held back. */
const MAX_GAP = 1_024

/** Stands between symbols that do not belong together; no character of a text (a noncharacter). */
export const SEPARATOR = 0xffff

/**
 * Reused, so that nothing is allocated as long as texts have about the same size. All per-character
 * work is done by native code: a job may print gigabytes.
 */
export class Symbols {
  codes = new Uint16Array(1_024)
  count = 0
  text = ''
  /** Where an incomplete control sequence begins; the text's length when there is none. */
  openFrom = 0
  /** Runs of adjacent symbols: the first symbol of each run, and its position in the text. */
  #runs: number[] = []
  #places: number[] = []
  /** Position in the text where the last run ends. */
  #lastEnd = 0

  /** @param isWhole nothing follows: an incomplete control sequence is text */
  read(text: string, isWhole: boolean): void {
    this.#begin(text)
    const skipped = new SkippedSearch(text, isWhole)
    for (let at = 0; at < text.length; at = skipped.to) {
      skipped.find(at)
      this.#addRun(at, skipped.from)
    }
    if (skipped.to > text.length) this.openFrom = skipped.from
    if (this.openFrom - this.#lastEnd > MAX_GAP) this.#addSeparator()
  }

  /** The position of a symbol in the text. */
  placeOf(symbol: number): number {
    let low = 0
    let high = this.#runs.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.#runs[middle] ?? 0) <= symbol) low = middle
      else high = middle - 1
    }
    return (this.#places[low] ?? 0) + symbol - (this.#runs[low] ?? 0)
  }

  /** The number of line breaks between two symbols, or between a symbol and the end of the text. */
  breaksBetween(first: number, last: number): number {
    const from = this.placeOf(first)
    const to = last < this.count ? this.placeOf(last) : this.text.length
    let breaks = 0
    for (let at = this.text.indexOf('\n', from); at !== -1 && at < to; breaks++) {
      at = this.text.indexOf('\n', at + 1)
    }
    return breaks
  }

  /** Copies all code units of the text, then moves the runs together in place. */
  #begin(text: string): void {
    this.text = text
    this.openFrom = text.length
    this.count = 0
    this.#runs = []
    this.#places = []
    this.#lastEnd = 0
    const length = text.length + 1
    if (length > this.codes.length) this.codes = new Uint16Array(2 ** Math.ceil(Math.log2(length)))
    Buffer.from(this.codes.buffer).write(text, 'utf16le') // little-endian, as all supported machines
  }

  #addRun(from: number, to: number): void {
    if (from === to) return
    if (from - this.#lastEnd > MAX_GAP) this.#addSeparator()
    this.#runs.push(this.count)
    this.#places.push(from)
    this.codes.copyWithin(this.count, from, to)
    this.count += to - from
    this.#lastEnd = to
  }

  #addSeparator(): void {
    this.#runs.push(this.count)
    this.#places.push(this.#lastEnd)
    this.codes[this.count++] = SEPARATOR
  }
}

/** The next line break or control sequence. */
class SkippedSearch {
  from = 0
  /** More than the text's length for an incomplete control sequence. */
  to = 0
  readonly #text: string
  readonly #isWhole: boolean
  #lineFeed = -1
  #carriageReturn = -1
  #escape = -1

  constructor(text: string, isWhole: boolean) {
    this.#text = text
    this.#isWhole = isWhole
  }

  /** @returns an empty one at the text's end when there is none */
  find(at: number): void {
    const { length } = this.#text
    if (this.#lineFeed < at) this.#lineFeed = this.#next('\n', at)
    if (this.#carriageReturn < at) this.#carriageReturn = this.#next('\r', at)
    if (this.#escape < at) this.#escape = this.#nextSequence(at)
    this.from = Math.min(this.#lineFeed, this.#carriageReturn, this.#escape)
    if (this.from < this.#escape) this.to = this.from + 1
    else this.to = this.from < length ? endOfSequence(this.#text, this.from) : length
  }

  #next(character: string, from: number): number {
    const at = this.#text.indexOf(character, from)
    return at === -1 ? this.#text.length : at
  }

  #nextSequence(from: number): number {
    const { length } = this.#text
    let at = this.#next('\x1b', from)
    while (at < length) {
      const end = endOfSequence(this.#text, at)
      if (end > at && !(end > length && this.#isWhole)) return at
      at = this.#next('\x1b', at + 1)
    }
    return length
  }
}
/** The control sequences in a masked text, which still apply to what follows it. */
export function sequencesIn(text: string): string {
  let sequences = ''
  let at = text.indexOf('\x1b')
  while (at !== -1) {
    const end = endOfSequence(text, at)
    if (end <= text.length) sequences += text.slice(at, end)
    at = text.indexOf('\x1b', Math.max(end, at + 1))
  }
  return sequences
}

/**
 * Recognizes sequences that colour, move the cursor or clear (`ESC [ … m`), or select a character set (`ESC ( B`).
 *
 * @returns `from` when there is none; more than the text's length when it is incomplete
 * @see ECMA-48, section 5.4
 */
function endOfSequence(text: string, from: number): number {
  const second = text.charCodeAt(from + 1)
  if (Number.isNaN(second)) return text.length + 1
  if (second === BRACKET) return endOfControl(text, from)
  if (second !== 0x28 && second !== 0x29) return from
  const set = text.charCodeAt(from + 2)
  if (Number.isNaN(set)) return text.length + 1
  return set >= 0x30 && set <= 0x7e ? from + 3 : from
}

function endOfControl(text: string, from: number): number {
  for (let at = from + 2; at < from + MAX_SEQUENCE; at++) {
    const code = text.charCodeAt(at)
    if (Number.isNaN(code)) return text.length + 1
    if (code >= 0x40 && code <= 0x7e) return at + 1
    if (code < 0x20 || code > 0x3f) return from
  }
  return from
}
