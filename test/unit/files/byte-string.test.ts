import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  bufferOf,
  bytes,
  bytesOf,
  decodeBytes,
  encodeBytes,
  mapBytes,
} from '../../../lib/files/byte-string.ts'

const test = suite('files: byte string')

test('any bytes come back as they were', () => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

  assert.equal(bufferOf(bytesOf(all)), all)
  assert.equal(bufferOf(bytesOf(all, 100, 200)), all.subarray(100, 200))
})

test('text is taken as UTF-8', () => {
  const bytes = encodeBytes('Schlüssel')

  assert.is(bytes.length, 10)
  assert.is(decodeBytes(bytes), 'Schlüssel')
})

test('escapes between byte strings are the characters they stand for', () => {
  const path = encodeBytes('ü')

  assert.is(decodeBytes(bytes`\n${path}\t/`), '\nü\t/')
  assert.is(
    mapBytes(path, (it) => `${it}/`),
    bytes`${path}/`,
  )
})

test.run()
