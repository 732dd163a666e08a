/**
 * Text as the symbols that a reader sees, each with its place: what is looked for stays the same when
 * lines are broken or coloured in the middle of it. Pure.
 *
 * @module
 */

const BRACKET = 0x5b

/** Longer control sequences are none. */
const MAX_SEQUENCE = 64

/** With more than this between two symbols they do not belong together: what is held back is bounded. */
const MAX_GAP = 1_024

/** Stands between symbols that do not belong together; no character of a text (a noncharacter). */
export const SEPARATOR = 0xffff

/**
 * Used again and again, so that nothing is allocated as long as texts are of one size. All that is
 * done for every single character is native: a job may print gigabytes.
 */
export class Symbols {
  codes = new Uint16Array(1_024)
  count = 0
  text = ''
  /** Where a control sequence begins whose end is not there yet; the text's length when there is none. */
  openFrom = 0
  /** Symbols that are side by side in the text: the first of each run, and where in the text that is. */
  #runs: number[] = []
  #places: number[] = []
  /** In the text, of the last run. */
  #lastEnd = 0

  /** @param isWhole nothing follows: what looks like the beginning of a control sequence is none */
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

  /** Where a symbol is in the text. */
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

  /** How often the line ends between two symbols, or a symbol and the end of the text. */
  breaksBetween(first: number, last: number): number {
    const from = this.placeOf(first)
    const to = last < this.count ? this.placeOf(last) : this.text.length
    let breaks = 0
    for (let at = this.text.indexOf('\n', from); at !== -1 && at < to; breaks++) {
      at = this.text.indexOf('\n', at + 1)
    }
    return breaks
  }

  /** All code units of the text are there, and the runs are moved together from where they are. */
  #begin(text: string): void {
    this.text = text
    this.openFrom = text.length
    this.count = 0
    this.#runs = []
    this.#places = []
    this.#lastEnd = 0
    const length = text.length + 1
    if (length > this.codes.length) this.codes = new Uint16Array(2 ** Math.ceil(Math.log2(length)))
    Buffer.from(this.codes.buffer).write(text, 'utf16le') // as all machines that this runs on
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
  /** More than the text's length for a control sequence whose end is not there yet. */
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

  /** An empty one at the text's end when there is none. */
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
/** Colours that change within a text count for what follows it. */
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
 * Those that programs colour with, move or clear (`ESC [ … m`), and that choose a character set (`ESC ( B`).
 *
 * @returns `from` when there is none; more than the text's length when its end is not there yet
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
