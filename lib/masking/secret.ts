/**
 * Which parts of a secret value are searched for in a log, and which are too common for that.
 *
 * @module
 */

import { formsOf, textForms } from './forms.ts'
import { MAX_SYMBOLS, MIN_SYMBOLS, type Pattern } from './pattern-index.ts'

/** Of a larger value, only the beginning is searched for. */
export const MAX_SECRET_BYTES = 65_536

/** One line break per this many symbols is tolerated, as programs wrap their output. */
const SYMBOLS_A_LINE = 16

/** Least length of the last piece of a long value: short patterns make the search slow. */
const LAST_PIECE = 32

/** Values with fewer different characters are not masked, nor are lines of a value with no more than this. */
const FEW_DIFFERENT = 3

export interface Secret {
  readonly patterns: readonly Pattern[]
  /** Why not all of it is masked, to be printed after its name. */
  readonly exposed?: string | undefined
}

/** Leading and trailing white space is not part of the secret. */
export function toSecret(given: Uint8Array): Secret {
  const value = trim(Buffer.from(given.subarray(0, MAX_SECRET_BYTES)))
  const text = value.toString('utf8')
  if (text.length < MIN_SYMBOLS) {
    return { patterns: [], exposed: `is not masked: it has fewer than ${MIN_SYMBOLS} characters` }
  }
  if (new Set(text).size < FEW_DIFFERENT) {
    return { patterns: [], exposed: 'is not masked: it is made of one or two characters' }
  }
  const lines = text.split(/[\r\n]+/).map((line) => line.trim())
  const told = lines.length === 1 ? [] : lines.filter(isTelling)
  const forms = [formsOf(value), ...told.map(textForms)].flatMap((some) => [...some])
  return { patterns: forms.flatMap(toPatterns), exposed: describeExposed(given, lines, told) }
}

function describeExposed(
  given: Uint8Array,
  lines: readonly string[],
  told: readonly string[],
): string | undefined {
  if (given.length > MAX_SECRET_BYTES) {
    return `is masked up to byte ${MAX_SECRET_BYTES} only: it is longer`
  }
  const plain = lines.length === 1 ? 0 : lines.length - told.length
  if (plain === 0) return undefined
  return `is masked as a whole, but ${plain} of its ${lines.length} lines are not where they stand alone: they are too short or too plain`
}

/** Whether a line reveals something by itself: `{`, `"type":` and `-----BEGIN …` do not. */
function isTelling(line: string): boolean {
  const told = line.replace(/[^\p{L}\p{N}]/gu, '')
  const isFrame = /^-----(BEGIN|END) /.test(line)
  return told.length >= MIN_SYMBOLS && new Set(told).size > FEW_DIFFERENT && !isFrame
}

/** The pieces overlap, so that consecutive matches are merged into one. */
function toPatterns(form: string): Pattern[] {
  const patterns: Pattern[] = []
  const text = form.replace(/[\r\n]/g, '')
  const ownBreaks = form.split('\n').length - 1
  for (let from = 0; from === 0 || from < text.length - 1; from += MAX_SYMBOLS - 1) {
    const start = Math.max(0, Math.min(from, text.length - LAST_PIECE))
    const piece = text.slice(start, from + MAX_SYMBOLS)
    const maxBreaks = ownBreaks + 1 + Math.floor(piece.length / SYMBOLS_A_LINE)
    if (piece.length >= MIN_SYMBOLS) patterns.push({ text: piece, maxBreaks })
  }
  return patterns
}

/** Removes ASCII white space at both ends, byte by byte: a value need not be text. */
function trim(value: Buffer): Buffer {
  let start = 0
  let end = value.length
  while (isBlank(value[start])) start++
  while (end > start && isBlank(value[end - 1])) end--
  return value.subarray(start, end)
}

function isBlank(byte: number | undefined): boolean {
  return byte !== undefined && (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d))
}
