import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { INDEX_BYTES, LineIndex } from '../../../lib/events/job-log-index.ts'

const test = suite('job log: index')

/** The index of lines of these lengths, and where each line begins. */
function indexOf(lengths: readonly number[]): { index: LineIndex; offsets: number[] } {
  const index = new LineIndex()
  const offsets = lengths.map((length) => {
    const offset = index.size
    index.add(length)
    return offset
  })
  return { index, offsets }
}

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

test('an empty index knows where the first line will be', () => {
  const { index } = indexOf([])

  assert.equal(index.find(0), { line: 0, offset: 0 })
  assert.is(index.lineCount, 0)
  assert.is(index.size, 0)
})

test('every line is less than one block behind a remembered place, whatever the lengths', () => {
  const next = random(7)
  const lengths = Array.from({ length: 5_000 }, () =>
    next() < 0.01 ? Math.floor(next() * 400_000) + 2 : Math.floor(next() * 300) + 2,
  )

  const { index, offsets } = indexOf(lengths)

  assert.is(index.lineCount, 5_000)
  offsets.forEach((offset, line) => {
    const place = index.find(line)
    assert.is(place.offset, offsets[place.line], `line ${line}`)
    assert.ok(place.line <= line && offset - place.offset < INDEX_BYTES, `line ${line}`)
  })
})

test('ten million lines take less than 3 MB', () => {
  const index = new LineIndex()
  const before = process.memoryUsage().arrayBuffers

  for (let line = 0; line < 10_000_000; line++) index.add(100)

  assert.ok(process.memoryUsage().arrayBuffers - before < 3_000_000)
  const { line, offset } = index.find(9_999_999)
  assert.is(offset, line * 100)
  assert.ok(9_999_999 - line < 256)
})

test.run()
