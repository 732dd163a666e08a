/** Archives as they are stored. */

import { randomBytes } from 'node:crypto'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { compress, decompress } from '../../../lib/cache/archive/compress.ts'
import { CacheError } from '../../../lib/errors.ts'

const test = suite('cache: compress')

/** Three blocks and a bit; the middle is nothing but zeros. */
const TAR = Buffer.concat([randomBytes(5_000_000), Buffer.alloc(5_000_000), randomBytes(3_000_001)])

test('what was compressed comes back, whatever the size of the chunks it comes in', async () => {
  const archive = await gather(compress(inChunks(TAR, 70_001)))

  assert.ok(archive.length < 8_100_000)
  for (const bytes of [16, 999, 1_048_576, archive.length]) {
    assert.ok(TAR.equals(await gather(decompress(inChunks(archive, bytes)))), `${bytes}`)
  }
})

test('a few bytes come back, and so does nothing', async () => {
  for (const text of ['', 'x']) {
    const archive = await gather(compress(inChunks(Buffer.from(text), 1)))
    const back = await gather(decompress(inChunks(archive, 7))).catch((error: Error) => error)

    if (text !== '') assert.is(back.toString(), text)
    else assert.match(String(back), /it is empty/)
  }
})

test('archives of other tools are read: gzip, zstd in one frame', async () => {
  for (const archive of [gzipSync(TAR, { level: 1 }), zstdCompressSync(TAR)]) {
    assert.ok(TAR.equals(await gather(decompress(inChunks(archive, 65_536)))))
  }
})

test('a damaged one fails as such: cut at any place, bytes changed, a part left out', async () => {
  const archive = await gather(compress(inChunks(TAR, 1_000_000)))
  const second = 16 + archive.readUInt32LE(8)
  const flipped = Buffer.from(archive)
  flipped[second + 5_000] = (flipped[second + 5_000] ?? 0) ^ 0xff
  const huge = Buffer.from(archive)
  huge.writeUInt32LE(0xffffffff, 12)
  const damaged = {
    'cut in a head': archive.subarray(0, second + 9),
    'cut in a frame': archive.subarray(0, second + 9_000),
    flipped,
    'a size nobody wrote': huge,
    'something else behind it': Buffer.concat([archive.subarray(0, second), randomBytes(50)]),
    'no archive': Buffer.from('this is text, not an archive'),
  }
  for (const [how, bytes] of Object.entries(damaged)) {
    const error = await gather(decompress(inChunks(bytes, 100_000))).catch((error: Error) => error)
    assert.instance(error, CacheError, how)
    assert.match(String(error), /The archive is damaged/, how)
  }
})

test('a source that fails is named, and closed; so is one that is not read to the end', async () => {
  let closed = 0
  const source = async function* (part: Uint8Array, failure?: Error) {
    try {
      yield part
      if (failure !== undefined) throw failure
      yield part
    } finally {
      closed++
    }
  }
  const failure = new Error('the disk is gone')
  const archive = await gather(compress(inChunks(TAR, 1_000_000)))

  assert.is(await gather(compress(source(TAR, failure))).catch((error) => error), failure)
  assert.is(await gather(decompress(source(archive, failure))).catch((error) => error), failure)
  for await (const chunk of compress(source(TAR))) if (chunk.length > 0) break
  for await (const chunk of decompress(source(archive))) if (chunk.length > 0) break
  assert.is(closed, 4)
})

/** Whoever asks for the next chunk has done with the last. */
async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = Uint8Array.from(bytes.subarray(at, at + size))
    yield chunk
    chunk.fill(0xff)
  }
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = []
  for await (const chunk of chunks) copies.push(Buffer.from(chunk))
  return Buffer.concat(copies)
}

test.run()
