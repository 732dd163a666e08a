/** Tars on their way, with other names and owners. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bytes } from '../../../lib/files/byte-string.ts'
import { END_OF_TAR, encodeHeader, padding, type TarEntry } from '../../../lib/tar/header.ts'
import { TarReader } from '../../../lib/tar/reader.ts'
import { rewriteTar } from '../../../lib/tar/rewrite.ts'
import { type EntryText, tarEntry } from '../../helpers/tar-entry.ts'

const test = suite('cache: rewritten tars')

const entry = (name: string, rest: EntryText = {}): TarEntry => tarEntry({ name, ...rest })

type Part = readonly [TarEntry, content: Buffer]

/** Headers of one block and of several, files of all sizes. */
const FILES: readonly Part[] = [
  [entry('d', { type: 'directory' }), Buffer.alloc(0)],
  [entry('d/small', { size: 5 }), Buffer.from('small')],
  [entry('d/large', { size: 300_001 }), Buffer.alloc(300_001, 'abc')],
  [entry('d/device', { type: 'other' }), Buffer.alloc(0)],
  [entry(`d/${'x'.repeat(150)}`, { size: 3 }), Buffer.from('xxx')],
  [entry('d/empty', { uid: 5_000_000 }), Buffer.alloc(0)],
  [entry('d/zeros', { size: 200_000 }), Buffer.alloc(200_000)],
  [entry('d/link', { type: 'link', target: 'd/small' }), Buffer.alloc(0)],
  [entry('d/left-out', { size: 70_000 }), Buffer.alloc(70_000, 'no')],
  [entry('d/last', { size: 512 }), Buffer.alloc(512, 'l')],
]

const pack = (files: readonly Part[]) =>
  Buffer.concat([
    ...files.flatMap(([it, content]) => [encodeHeader(it), content, padding(it.size)]),
    END_OF_TAR,
  ])

/** Whoever asks for the next chunk has done with the last. */
async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer, void> {
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = Buffer.from(bytes.subarray(at, at + size))
    yield chunk
    chunk.fill('overwritten')
  }
}

async function rewrite(size: number, change: Parameters<typeof rewriteTar>[1]): Promise<Buffer> {
  const copies: Buffer[] = []
  const small: (readonly [piece: Buffer, copy: Buffer])[] = []
  for await (const piece of rewriteTar(inChunks(pack(FILES), size), change)) {
    const copy = Buffer.from(piece)
    copies.push(copy)
    if (piece.length < 65_536) small.push([piece, copy])
  }
  for (const [piece, copy] of small) assert.ok(piece.equals(copy), 'a small piece has changed')
  return Buffer.concat(copies)
}

const SIZES = [100, 512, 32_768, 262_144, 2_097_152]

test('names, owners and what is left out change, and nothing else, however the tar comes', async () => {
  const change = (it: TarEntry): TarEntry => ({
    ...it,
    name: bytes`some/where/${it.name}`,
    uid: 1_000,
    gid: 3_000_000,
    target: it.target === '' ? it.target : bytes`some/where/${it.target}`,
  })
  const isKept = ({ type, name }: TarEntry) => type !== 'other' && name !== 'd/left-out'
  const expected = pack(
    FILES.filter(([it]) => isKept(it)).map(([it, content]) => [change(it), content]),
  )

  for (const size of SIZES) {
    const tar = await rewrite(size, (it) => (isKept(it) ? change(it) : undefined))

    assert.ok(tar.equals(expected), `in chunks of ${size} bytes`)
  }
})

test('what nobody has read of a header does not get through', async () => {
  const clean = pack([[entry('f', { size: 1 }), Buffer.from('x')]])
  const tar = Buffer.from(clean)
  tar[500] = 1
  tar[153] = (tar[153] ?? 0) + 1 // the checksum's last digit

  const pieces = await Array.fromAsync(rewriteTar(inChunks(tar, 5_000), (it) => it))

  assert.is([...new TarReader().push(tar)].length, 4)
  assert.ok(Buffer.concat(pieces).equals(clean))
})

test.run()
