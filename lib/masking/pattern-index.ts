/**
 * Finds thousands of patterns in a text at once, at a cost that hardly depends on how many there are:
 * most of the text is not even looked at (Wu and Manber, "A fast algorithm for multi-pattern
 * searching", 1994). Pure.
 *
 * @module
 */

import { SEPARATOR, type Symbols } from './symbols.ts'

/** The shortest pattern. */
export const MIN_SYMBOLS = 6

/** The longest: longer secrets are searched for in pieces, so that little has to be held back. */
export const MAX_SYMBOLS = 256

/** Symbols per block, which are hashed together. */
const BLOCK = 3

/** The window covers the whole of the shortest pattern, up to this length. */
const MAX_WINDOW = 16

const HASHES = 65_536

export interface Pattern {
  /** {@link MIN_SYMBOLS} to {@link MAX_SYMBOLS} UTF-16 code units, without line breaks. */
  readonly text: string
  /** How many line breaks it may contain: a column of digits is not the number that they would form. */
  readonly maxBreaks: number
}

/** Of symbols: `end` is exclusive. */
export interface Interval {
  readonly start: number
  end: number
}

interface Indexed extends Pattern {
  readonly codes: Uint16Array
}

export class PatternIndex {
  readonly #patterns: Indexed[] = []
  /** In symbols. The longer it is, the further the search can skip. */
  #window = MAX_WINDOW
  readonly #shifts = new Uint8Array(HASHES).fill(shiftBeyond(MAX_WINDOW))
  /** Patterns by the last block of their first window. */
  readonly #byWindow = new Map<number, Indexed[]>()
  /** Patterns by their first block. */
  readonly #byStart = new Map<number, Indexed[]>()
  /** By hash: bit n is set if the first n symbols of some pattern have this hash. */
  readonly #starts = new Uint8Array(HASHES)
  #longest = 0

  get isEmpty(): boolean {
    return this.#longest === 0
  }

  add(pattern: Pattern): void {
    const { text } = pattern
    const codes = new Uint16Array(text.length)
    for (let at = 0; at < text.length; at++) codes[at] = text.charCodeAt(at)
    const indexed = { ...pattern, codes }
    this.#patterns.push(indexed)
    if (codes.length < this.#window) this.#narrow(codes.length)
    else this.#addToWindow(indexed)
    append(this.#byStart, hashOfBlock(codes, 0), indexed)
    for (let length = 1; length <= BLOCK; length++) {
      const hash = hashOf(codes, 0, length)
      this.#starts[hash] = (this.#starts[hash] ?? 0) | (1 << length)
    }
    this.#longest = Math.max(this.#longest, codes.length)
  }

  /** @returns all matches, in order; overlapping ones are merged */
  find(symbols: Symbols): Interval[] {
    const { codes, count } = symbols
    const shifts = this.#shifts
    const last = shiftBeyond(this.#window) - 1
    const end = count - this.#window
    const found: Interval[] = []
    for (let at = 0; at <= end; ) {
      const hash = hashOfBlock(codes, at + last)
      const shift = shifts[hash] ?? 0
      if (shift > 0) {
        at += shift
        continue
      }
      const length = this.#longestAt(symbols, at, hash)
      if (length > 0) join(found, at, at + length)
      at++
    }
    return found
  }

  /** @returns the first symbol at which an incomplete pattern may begin; `count` when there is none */
  findOpen(symbols: Symbols): number {
    const { codes, count } = symbols
    for (let start = Math.max(0, count - this.#longest + 1); start < count; start++) {
      const length = Math.min(BLOCK, count - start)
      const hash = hashOf(codes, start, length)
      if (((this.#starts[hash] ?? 0) & (1 << length)) === 0) continue
      if (count - start < BLOCK || this.#isOpen(symbols, start, hash)) return start
    }
    return count
  }

  #addToWindow(pattern: Indexed): void {
    const far = shiftBeyond(this.#window)
    for (let at = 0; at < far; at++) {
      const hash = hashOfBlock(pattern.codes, at)
      this.#shifts[hash] = Math.min(this.#shifts[hash] ?? far, far - 1 - at)
    }
    append(this.#byWindow, hashOfBlock(pattern.codes, far - 1), pattern)
  }

  /** For a pattern that is shorter than all before it. */
  #narrow(window: number): void {
    this.#window = window
    this.#shifts.fill(shiftBeyond(window))
    this.#byWindow.clear()
    for (const pattern of this.#patterns) this.#addToWindow(pattern)
  }

  #longestAt(symbols: Symbols, at: number, hash: number): number {
    let longest = 0
    for (const { codes, maxBreaks } of this.#byWindow.get(hash) ?? []) {
      const { length } = codes
      if (length <= longest || at + length > symbols.count) continue
      if (!isAt(codes, symbols, at, length)) continue
      if (symbols.breaksBetween(at, at + length - 1) <= maxBreaks) longest = length
    }
    return longest
  }

  #isOpen(symbols: Symbols, start: number, hash: number): boolean {
    const length = symbols.count - start
    return (this.#byStart.get(hash) ?? []).some(
      ({ codes, maxBreaks }) =>
        codes.length > length &&
        isAt(codes, symbols, start, length) &&
        symbols.breaksBetween(start, symbols.count) <= maxBreaks,
    )
  }
}

/** {@link hashOf} for a block, written out since it is the innermost loop. */
function hashOfBlock(codes: Uint16Array, from: number): number {
  const first = codes[from] ?? 0
  const second = codes[from + 1] ?? 0
  const third = codes[from + 2] ?? 0
  return ((first << 10) ^ (second << 5) ^ third) & (HASHES - 1)
}

/** How far to skip when a window contains no block of any pattern. */
function shiftBeyond(window: number): number {
  return window - BLOCK + 1
}

function hashOf(codes: Uint16Array, from: number, length: number): number {
  let hash = 0
  for (let at = from; at < from + length; at++) hash = (hash << 5) ^ (codes[at] ?? SEPARATOR)
  return hash & (HASHES - 1)
}

function isAt(codes: Uint16Array, symbols: Symbols, from: number, length: number): boolean {
  for (let at = 0; at < length; at++) {
    if (codes[at] !== symbols.codes[from + at]) return false
  }
  return true
}

function join(intervals: Interval[], start: number, end: number): void {
  const last = intervals.at(-1)
  if (last !== undefined && start < last.end) last.end = Math.max(last.end, end)
  else intervals.push({ start, end })
}

function append<T>(map: Map<number, T[]>, key: number, value: T): void {
  const values = map.get(key)
  if (values === undefined) map.set(key, [value])
  else values.push(value)
}
