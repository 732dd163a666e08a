/** Archives somebody has tampered with. */

import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { unpackToHost } from '../../../lib/cache/archive/host-unpack.ts'
import { PathGuard } from '../../../lib/cache/archive/path-guard.ts'
import { CacheError } from '../../../lib/errors.ts'
import { encodeBytes } from '../../../lib/files/byte-string.ts'
import { END_OF_TAR, encodeHeader, padding, type TarEntry } from '../../../lib/tar/header.ts'
import { rejection } from '../../helpers/rejection.ts'
import { tarEntry } from '../../helpers/tar-entry.ts'

interface Context {
  /** Has `inside`, where archives are unpacked, and `outside` with a file `secret`. */
  directory: string
}

const test = suite<Context>('cache: tampered archives')

test.before.each((t) => {
  t.directory = mkdtempSync(join(tmpdir(), 'guard-'))
  mkdirSync(join(t.directory, 'inside'))
  mkdirSync(join(t.directory, 'outside'))
  writeFileSync(join(t.directory, 'outside/secret'), 'kept')
})

test.after.each((t) => {
  rmSync(t.directory, { recursive: true, force: true })
})

type Part = readonly [type: TarEntry['type'], name: string, target?: string]

const toEntry = ([type, name, target]: Part): TarEntry =>
  tarEntry({
    name,
    type,
    mode: 0o755,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    size: type === 'file' ? 4 : 0,
    mtime: 0,
    ...(target !== undefined && { target }),
  })

async function* pack(parts: readonly Part[]): AsyncGenerator<Buffer, void> {
  for (const part of parts) {
    yield encodeHeader(toEntry(part))
    if (part[0] === 'file') yield Buffer.concat([Buffer.from('evil'), padding(4)])
  }
  yield END_OF_TAR
}

const root: Part = ['directory', 'root']

/** Each climbs out of `root`, or would, in another way. */
const TAMPERED: Readonly<Record<string, readonly Part[]>> = {
  'a name that climbs': [root, ['file', 'root/../../outside/secret']],
  'an outermost name that climbs': [['file', '../outside/secret']],
  'an absolute outermost name that climbs': [['directory', '/tmp/../etc']],
  'another name beside the outermost': [root, ['file', 'other']],
  'a name that only begins as the outermost': [root, ['file', 'roots']],
  'an absolute name': [root, ['file', '/etc/evil']],
  'a file through a link to a directory': [
    root,
    ['symlink', 'root/l', '../../outside'],
    ['file', 'root/l/secret'],
  ],
  'a directory through a link': [
    root,
    ['symlink', 'root/l', '../../outside'],
    ['directory', 'root/l/d'],
  ],
  'a link in place of a directory': [
    root,
    ['directory', 'root/d'],
    ['symlink', 'root/d', '../../outside'],
    ['file', 'root/d/secret'],
  ],
  'a hard link to something outside': [root, ['link', 'root/h', '../outside/secret']],
  'a hard link to something absolute': [root, ['link', 'root/h', '/etc/passwd']],
  'a hard link to a link': [
    root,
    ['symlink', 'root/l', '../../outside/secret'],
    ['link', 'root/h', 'root/l'],
  ],
  'an outermost link with something below it': [
    ['symlink', 'root', '../outside'],
    ['file', 'root/secret'],
  ],
  'a file without its directory': [root, ['file', 'root/d/f']],
  'an empty name': [['file', '']],
  'a link in place of the current directory': [['symlink', '.', '../outside']],
  'a file in place of a directory one stands in': [['file', './.']],
  'the root directory': [['directory', '/']],
}

for (const [what, parts] of Object.entries(TAMPERED)) {
  test(`${what} is refused, and nothing outside changes`, async (t) => {
    const options = {
      directory: encodeBytes(join(t.directory, 'inside')),
      owner: undefined,
      signal: new AbortController().signal,
    }

    const error = await rejection(unpackToHost(pack(parts), options))

    assert.instance(error, CacheError)
    assert.match(error.message, /reaches out of its own directory/)
    assert.is(readFileSync(join(t.directory, 'outside/secret'), 'utf8'), 'kept')
    assert.equal(
      execFileSync('ls', [join(t.directory, 'outside')], { encoding: 'utf8' }),
      'secret\n',
    )
  })
}

test('a link that stands where a directory of the archive goes is neither followed nor replaced', async (t) => {
  const directory = join(t.directory, 'inside')
  symlinkSync('../outside', join(directory, 'root'))
  const options = {
    directory: encodeBytes(directory),
    owner: undefined,
    signal: new AbortController().signal,
  }

  const error = await rejection(unpackToHost(pack([root, ['file', 'root/secret']]), options))

  assert.match(error.message, /inside\/root is not a directory, but a directory in the archive/)
  assert.is(readFileSync(join(t.directory, 'outside/secret'), 'utf8'), 'kept')
})

test('links may lead anywhere, as long as nothing goes through them', () => {
  const guard = new PathGuard()
  const harmless: Part[] = [
    root,
    ['symlink', 'root/a', '/etc'],
    ['symlink', 'root/b', '../../..'],
    ['file', 'root/c'],
    ['link', 'root/d', 'root/c'],
  ]

  for (const part of harmless) guard.admit(toEntry(part))

  assert.is(guard.root, 'root')
  assert.not(existsSync('root'))
})

test.run()
