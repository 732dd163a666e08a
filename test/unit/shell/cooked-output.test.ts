import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CookedOutput } from '../../../lib/shell/cooked-output.ts'

const test = suite('shell: cooked output')

/** What a terminal makes of it, put back, in pieces of `size`. */
function roundTrip(text: string, size: number): string {
  const cooked = Buffer.from(text.replaceAll('\n', '\r\n'))
  const output = new CookedOutput()
  const parts: Buffer[] = []
  for (let at = 0; at < cooked.length; at += size) {
    parts.push(output.push(cooked.subarray(at, at + size)))
  }
  return Buffer.concat([...parts, output.end()]).toString()
}

for (const text of ['a\nb\n', 'a\r\nb', '\r\r\n\n\r', 'no end\r', '']) {
  test(`${JSON.stringify(text)} comes back, whatever the chunks`, () => {
    for (let size = 1; size <= 8; size++) assert.is(roundTrip(text, size), text)
  })
}

test.run()
