/** Masking a text in pieces against a simple search in the whole of it. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { MaskedStream } from '../../../lib/masking/masked-stream.ts'
import { type Pattern, PatternIndex } from '../../../lib/masking/pattern-index.ts'
import { Symbols } from '../../../lib/masking/symbols.ts'

const test = suite('masking: masked stream')

/** `MASKING_CASES=5000000` takes some minutes; `FIRST_SEED` begins somewhere else. */
const CASES = Number(process.env['MASKING_CASES'] ?? 100_000)
const FIRST_SEED = Number(process.env['FIRST_SEED'] ?? 1)
const TEXTS_OF_ONE_SET = 25

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const SEEN = /\x1b\[[ -?]{0,61}[@-~]|\x1b[()][0-~]|[\r\n]|./gs

/** Symbol by symbol, pattern by pattern. */
function maskWhole(text: string, patterns: readonly Pattern[]): string {
  const pieces = [...text.matchAll(SEEN)].map(([piece]) => piece)
  const seen = pieces.flatMap((piece, at) =>
    piece.length === 1 && !/[\r\n]/.test(piece) ? [at] : [],
  )
  const visible = seen.map((at) => pieces[at]).join('')
  const masked = new Set<number>()
  const begins = new Set<number>()
  let end = 0
  for (let from = 0; from < seen.length; from++) {
    for (const { text: secret, maxBreaks } of patterns) {
      if (!visible.startsWith(secret, from)) continue
      const [first = 0, last = 0] = [seen[from], seen[from + secret.length - 1]]
      if (pieces.slice(first, last).filter((piece) => piece === '\n').length > maxBreaks) continue
      if (first >= end) begins.add(first)
      end = Math.max(end, last + 1)
      for (let at = first; at <= last; at++) masked.add(at)
    }
  }
  return pieces
    .map((piece, at) => {
      const mark = begins.has(at) ? '[secret]' : ''
      return mark + (masked.has(at) && !(piece.length > 1) ? '' : piece)
    })
    .join('')
}

/** @see https://github.com/cprosche/mulberry32 */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)
    return ((bits ^ (bits >>> 14)) >>> 0) % below
  }
}

type Random = ReturnType<typeof createRandom>

const pick = <T>(random: Random, from: readonly T[]): T => from[random(from.length)] as T

/** Few letters, so that secrets overlap and contain each other. */
function randomPatterns(random: Random): Pattern[] {
  const letters = pick(random, ['ab', 'abc', 'aé[1', 'a\u{1f511}('])
  return Array.from({ length: 1 + random(4) }, () => ({
    text: Array.from({ length: 6 + random(6) }, () => letters[random(letters.length)]).join(''),
    maxBreaks: random(3),
  }))
}

function randomText(random: Random, patterns: readonly Pattern[]): string {
  const between = [
    '\n',
    '\r\n',
    '\r',
    '\x1b[31m',
    '\x1b[0;1m',
    '\x1b(B',
    '\x1b',
    '\x1b[',
    '\x1b[3',
    ' ',
  ]
  let text = ''
  for (let parts = 1 + random(5); parts > 0; parts--) {
    const { text: secret } = pick(random, patterns)
    const from = random(3) === 0 ? random(secret.length) : 0
    const to = random(3) === 0 ? random(secret.length + 1) : secret.length
    for (const symbol of secret.slice(from, to)) {
      text += symbol
      if (random(6) === 0) text += pick(random, between)
    }
    if (random(3) === 0) text += pick(random, between)
  }
  return text
}

function maskInPieces(text: string, stream: MaskedStream, random: Random): string {
  let masked = ''
  for (let at = 0; at < text.length; ) {
    const next = at + 1 + random(pick(random, [1, 4, 20]))
    masked += stream.push(text.slice(at, next))
    at = next
  }
  return masked + stream.end()
}

test(`is the same as looking at the whole text (${CASES} cases)`, () => {
  const symbols = new Symbols()
  for (let seed = FIRST_SEED; seed < FIRST_SEED + CASES / TEXTS_OF_ONE_SET; seed++) {
    const random = createRandom(seed)
    const patterns = randomPatterns(random)
    const index = new PatternIndex()
    for (const pattern of patterns) index.add(pattern)
    const stream = new MaskedStream(index, symbols)
    for (let count = 0; count < TEXTS_OF_ONE_SET; count++) {
      const text = randomText(random, patterns)
      const masked = maskInPieces(text, stream, random)
      const expected = maskWhole(text, patterns)
      if (masked !== expected)
        assert.is(masked, expected, `seed ${seed}: ${JSON.stringify({ text, patterns })}`)
    }
  }
})

test.run()
