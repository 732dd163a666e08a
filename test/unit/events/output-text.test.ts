import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { OutputText } from '../../../lib/events/output-text.ts'

const test = suite('events: output text')

function convert(bytes: Buffer, size: number): string {
  const output = new OutputText()
  let text = ''
  for (let at = 0; at < bytes.length; at += size) text += output.push(bytes.subarray(at, at + size))
  return text + output.end()
}

const F = '\ufffd'

const CASES: ReadonlyArray<readonly [name: string, bytes: Buffer, expected: string]> = [
  ['plain text', Buffer.from('hello\n'), 'hello\n'],
  ['a CR before LF is dropped', Buffer.from('a\r\nb\r\n'), 'a\nb\n'],
  ['only the CR directly before LF', Buffer.from('a\r\r\nb'), 'a\r\nb'],
  ['every other CR is kept', Buffer.from('10%\r20%\r'), '10%\r20%\r'],
  ['characters of 2, 3 and 4 bytes', Buffer.from('é€😀'), 'é€😀'],
  ['each stray byte is one U+FFFD', Buffer.from([0x61, 0xff, 0xfe, 0x80, 0x62]), `a${F}${F}${F}b`],
  ['each byte of a cut sequence too', Buffer.from([0xe2, 0x82, 0x41]), `${F}${F}A`],
  ['a cut sequence at the end', Buffer.from([0x41, 0xf0, 0x9f, 0x98]), `A${F}${F}${F}`],
  ['an overlong form', Buffer.from([0xc0, 0x80]), `${F}${F}`],
  ['a surrogate', Buffer.from([0xed, 0xa0, 0x80]), `${F}${F}${F}`],
  ['beyond U+10FFFF', Buffer.from([0xf4, 0x90, 0x80, 0x80]), `${F}${F}${F}${F}`],
  ['a lead byte, then a character', Buffer.from([0xe2, 0xc3, 0xa9]), `${F}é`],
  ['control bytes are kept', Buffer.from([0, 1, 2, 27, 127]), '\0\x01\x02\x1b\x7f'],
]

for (const [name, bytes, expected] of CASES) {
  test(`${name}, at every size of the chunks`, () => {
    for (let size = 1; size <= bytes.length; size++) assert.is(convert(bytes, size), expected)
  })
}

test('every single byte and pair of bytes survives any cut alike', () => {
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const bytes = Buffer.from([first, second])

      assert.is(convert(bytes, 1), convert(bytes, 2))
    }
  }
})

test('a character is given out as soon as it is whole', () => {
  const output = new OutputText()

  assert.is(output.push(Buffer.from([0xe2, 0x82])), '')
  assert.is(output.push(Buffer.from([0xac])), '€')
})

test.run()
