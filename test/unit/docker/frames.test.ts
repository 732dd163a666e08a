import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readFrames } from '../../../lib/docker/frames.ts'
import { collect } from './fake-daemon.ts'

const test = suite('docker: frames')

function frame(stream: 1 | 2, text: string): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0])
  header.writeUInt32BE(Buffer.byteLength(text), 4)
  return Buffer.concat([header, Buffer.from(text)])
}

async function* cut(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const bytes = Buffer.concat([frame(1, 'out'), frame(2, 'mistake'), frame(1, ''), frame(1, 'end')])

for (let size = 1; size <= bytes.length; size++) {
  test(`frames are found in chunks of ${size}`, async () => {
    const frames = await collect(readFrames(cut(bytes, size)))

    const of = (stream: string) =>
      Buffer.concat(frames.filter((f) => f.stream === stream).map((f) => f.bytes)).toString()
    assert.is(of('stdout'), 'outend')
    assert.is(of('stderr'), 'mistake')
  })
}

test('what is cut in the middle is given as far as it came', async () => {
  const frames = await collect(readFrames(cut(frame(1, 'whole').subarray(0, 10), 4)))

  assert.is(Buffer.concat(frames.map((f) => f.bytes)).toString(), 'wh')
})

test.run()
