/** Archives taken apart by a user who may not do everything. */

import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { unpackToHost } from '../../../lib/cache/archive/host-unpack.ts'
import { encodeBytes } from '../../../lib/files/byte-string.ts'
import { END_OF_TAR, encodeHeader, padding, type TarEntry } from '../../../lib/tar/header.ts'
import { tarEntry } from '../../helpers/tar-entry.ts'

const test = suite<{ directory: string }>('cache: unpacking on the host')

const NOBODY = 65_534

test.before.each((t) => {
  t.directory = mkdtempSync(join(tmpdir(), 'unpack-'))
  chmodSync(t.directory, 0o755)
})

test.after.each((t) => {
  process.seteuid?.(0)
  process.chdir(tmpdir())
  rmSync(t.directory, { recursive: true, force: true })
})

const entry = (type: TarEntry['type'], name: string, size = 0): TarEntry =>
  tarEntry({ name, type, mode: 0o700, uid: NOBODY, gid: NOBODY, size, mtime: 1_000 })

async function* pack(): AsyncGenerator<Buffer, void> {
  yield encodeHeader(entry('directory', '.'))
  yield encodeHeader(entry('directory', './own'))
  yield Buffer.concat([encodeHeader(entry('file', './own/f', 4)), Buffer.from('text'), padding(4)])
  yield END_OF_TAR
}

test("somebody else's directory that may be written to is filled, and keeps its mode and time", async (t) => {
  process.chdir(t.directory) // nobody else may come here from the root
  const shared = 'shared'
  mkdirSync(shared)
  chmodSync(shared, 0o777)
  const options = {
    directory: encodeBytes(shared),
    owner: undefined,
    signal: new AbortController().signal,
  }
  process.seteuid?.(NOBODY)

  await unpackToHost(pack(), options)

  const [outer, inner] = [statSync(shared), statSync(join(shared, 'own'))]
  assert.is(readFileSync(join(shared, 'own/f'), 'utf8'), 'text')
  assert.is(outer.mode & 0o777, 0o777)
  assert.is.not(outer.mtimeMs, 1_000_000)
  assert.equal([inner.mode & 0o777, inner.mtimeMs, inner.uid], [0o700, 1_000_000, NOBODY])
})

test('a directory of one’s own gets the mode and the time of the archive', async (t) => {
  utimesSync(t.directory, 5, 5)
  const options = {
    directory: encodeBytes(t.directory),
    owner: undefined,
    signal: new AbortController().signal,
  }

  await unpackToHost(pack(), options)

  const { mode, mtimeMs } = statSync(t.directory)
  assert.equal([mode & 0o777, mtimeMs], [0o700, 1_000_000])
})

test.run()
