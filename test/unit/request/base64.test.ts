import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ContentError } from '../../../lib/errors.ts'
import { decodeBase64 } from '../../../lib/request/base64.ts'

const test = suite('request: base64')

test('any bytes come back, whatever their number', () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  for (let length = 0; length <= bytes.length; length++) {
    const part = bytes.subarray(0, length)
    assert.ok(decodeBase64(part.toString('base64'), 'It').equals(part))
  }
})

test('line breaks are tolerated anywhere, and padding may be missing', () => {
  assert.is(decodeBase64('aGVs\nbG8s\r\nIHdv\ncmxk\n', 'It').toString(), 'hello, world')
  assert.is(decodeBase64('eA\n=\n=', 'It').toString(), 'x')
  assert.is(decodeBase64('eA', 'It').toString(), 'x')
  assert.is(decodeBase64('eHk', 'It').toString(), 'xy')
})

test('anything else is refused, where Buffer would skip it', () => {
  const wrong = [
    '***',
    'a',
    'aGVsb',
    'a-b_',
    'aGVs bG8s',
    'eA===',
    'eHk==',
    '=eHk',
    'e=Hk',
    '====',
    'é',
  ]
  for (const text of wrong) {
    assert.throws(
      () => decodeBase64(text, 'The value of A'),
      (error: unknown) =>
        error instanceof ContentError && /^The value of A is not base64: /.test(error.message),
      text,
    )
  }
})

test('the error tells where, and never what', () => {
  assert.throws(
    () => decodeBase64('c2Vj\ncmV0!', 'The value of A'),
    (error: Error) =>
      error.message ===
      'The value of A is not base64: its character 9 is not in the base64 alphabet',
  )
})

test('10 million characters are no burden', () => {
  const bytes = Buffer.alloc(10_000_000, 'x')

  assert.ok(decodeBase64(bytes.toString('base64'), 'It').equals(bytes))
})

test.run()
