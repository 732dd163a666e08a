/** The tar format, against GNU tar both ways. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CacheError } from '../../../lib/errors.ts'
import { END_OF_TAR, encodeHeader, padding, type TarEntry } from '../../../lib/tar/header.ts'
import { TarReader } from '../../../lib/tar/reader.ts'
import { type EntryText, tarEntry } from '../../helpers/tar-entry.ts'

interface Context {
  directory: string
}

const test = suite<Context>('cache: tar')

test.before.each((t) => {
  t.directory = mkdtempSync(join(tmpdir(), 'tar-'))
})

test.after.each((t) => {
  rmSync(t.directory, { recursive: true, force: true })
})

const entry = (rest: EntryText): TarEntry => tarEntry({ uid: 1_000, gid: 1_000, ...rest })

const pack = (entry: TarEntry, content = Buffer.alloc(0)): Buffer =>
  Buffer.concat([encodeHeader(entry), content, padding(content.length)])

/** @param step bytes given at once */
function read(tar: Buffer, step = tar.length): { entries: TarEntry[]; content: string } {
  const reader = new TarReader()
  const entries: TarEntry[] = []
  let content = ''
  for (let at = 0; at < tar.length; at += step) {
    for (const event of reader.push(tar.subarray(at, at + step))) {
      if (event.type === 'entry') entries.push(event.entry)
      if (event.type === 'data') content += event.bytes.toString('latin1')
      if (event.type === 'close') content += '|'
    }
  }
  reader.end()
  return { entries, content }
}

const ODD: readonly TarEntry[] = [
  entry({ name: 'two\nlines and \xff\xfe bytes', size: 0 }),
  entry({ name: `${'long/'.repeat(60)}n\xe4me`, type: 'directory', mode: 0o2755 }),
  entry({ name: `${'d/'.repeat(75)}${'n'.repeat(100)}` }),
  entry({ name: `${'d'.repeat(154)}/${'n'.repeat(98)}`, type: 'directory' }),
  entry({ name: 'l', type: 'symlink', target: `/${'t'.repeat(300)}\xff` }),
  entry({ name: 'h', type: 'link', target: 'x'.repeat(200) }),
  entry({ name: 'owned', uid: 3_000_000_000, gid: 2_097_152 }),
  entry({ name: 'early', mtime: -1 }),
  entry({ name: 'late', mtime: 10_000_000_000 }),
]

test('what is written is read again, wherever the bytes are cut', () => {
  const tar = Buffer.concat([
    ...ODD.map((it) => pack(it)),
    pack(entry({ name: 'full', size: 700 }), Buffer.alloc(700, 'x')),
    END_OF_TAR,
  ])

  for (const step of [1, 7, 511, 512, 513, 4_096, tar.length]) {
    const { entries, content } = read(tar, step)
    assert.equal(entries.slice(0, -1), ODD)
    assert.is(content, `${'|'.repeat(5)}${'x'.repeat(700)}|`)
  }
})

test('a size over 8 GiB is kept', () => {
  const size = 9 * 2 ** 30 + 1
  const [event] = [...new TarReader().push(encodeHeader(entry({ size })))]

  assert.is(event?.type === 'entry' && event.entry.size, size)
})

test('GNU tar reads what is written', (t) => {
  const tar = Buffer.concat([
    pack(entry({ name: 'd', type: 'directory', mode: 0o755 })),
    pack(entry({ name: `d/${'x'.repeat(200)}`, size: 3 }), Buffer.from('abc')),
    pack(entry({ name: `d/${'e/'.repeat(70)}f`, size: 3 }), Buffer.from('ghi')),
    pack(entry({ name: 'd/b\xff', size: 3 }), Buffer.from('def')),
    pack(entry({ name: 'd/l', type: 'symlink', target: '../\xff' })),
    END_OF_TAR,
  ])
  writeFileSync(join(t.directory, 'it.tar'), tar)

  const listed = execFileSync('tar', ['-tvf', 'it.tar', '--quoting-style=c', '--utc'], {
    cwd: t.directory,
    encoding: 'utf8',
  })

  assert.match(listed, /^drwxr-xr-x 1000\/1000 +0 2020-09-13 12:26 "d\/"$/m)
  assert.match(listed, /^-rw-r--r-- 1000\/1000 +3 2020-09-13 12:26 "d\/x{200}"$/m)
  assert.match(listed, /^-rw-r--r-- 1000\/1000 +3 2020-09-13 12:26 "d\/(e\/){70}f"$/m)
  assert.match(listed, /"d\/b\\377"/)
  assert.match(listed, /"d\/l" -> "..\/\\377"/)
})

test('what GNU tar writes is read, in each of its formats', (t) => {
  const name = `${'n'.repeat(120)}.txt`
  writeFileSync(join(t.directory, name), 'hello')
  utimesSync(join(t.directory, name), 1_500_000_000.5, 1_500_000_000.5)
  symlinkSync('t'.repeat(150), join(t.directory, 'l'))
  for (const format of ['gnu', 'pax', 'oldgnu']) {
    const tar = execFileSync('tar', [`--format=${format}`, '-c', name, 'l'], { cwd: t.directory })
    const { entries, content } = read(tar, 1_000)

    assert.equal(
      entries.map(({ name, type, target, mtime }) => [
        name,
        type,
        target,
        type === 'file' && mtime,
      ]),
      [
        [name, 'file', '', 1_500_000_000],
        ['l', 'symlink', 't'.repeat(150), false],
      ],
    )
    assert.is(content, 'hello|')
  }
})

test('what is cut off or overwritten is no tar', () => {
  const tar = Buffer.concat([pack(entry({ size: 700 }), Buffer.alloc(700)), END_OF_TAR])

  for (const bytes of [0, 100, 512, 900, 1_536]) {
    assert.throws(
      () => read(tar.subarray(0, bytes), 512),
      (error: unknown) => error instanceof CacheError && /ends too early/.test(error.message),
    )
  }
  tar[3] = 0x40
  assert.throws(() => read(tar), /a header is invalid/)
})

/** A header as GNU tar writes it in front of another. */
function paxHeader(content: string): Buffer {
  const block = encodeHeader(entry({ name: 'PaxHeader', size: content.length }))
  block.write('x', 156)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([block, Buffer.from(content, 'latin1'), padding(content.length)])
}

const record = (key: string, value: string) => {
  const rest = ` ${key}=${value}\n`
  const length = rest.length + 2 + Number(rest.length > 97) + Number(rest.length > 996)
  return `${length}${rest}`
}

test('of what extends a header only that is kept which is used, and not much of it', () => {
  const attributes = paxHeader(
    record('path', 'real') + record('SCHILY.xattr.user.x', 'v'.repeat(900)),
  )
  const one = Buffer.concat([attributes, pack(entry({ name: 'f' })), END_OF_TAR])
  const many = Buffer.concat([
    ...Array(2_000).fill(attributes),
    pack(entry({ name: 'f' })),
    END_OF_TAR,
  ])

  assert.equal(
    read(one, 1_000).entries.map(({ name }) => name),
    ['real'],
  )
  assert.throws(() => read(many, 65_536), /a name is too long/)
})

test('a header that is no list of records is refused at once, however long it is', () => {
  for (const content of [
    '5=aaa'.repeat(200_000),
    '1'.repeat(1_000_000),
    '999999999 path=x\n',
    '4 x\n',
  ]) {
    assert.throws(() => read(paxHeader(content), 65_536), /an extended header is invalid/)
  }
})

test('names that are longer than any that can be used are refused', () => {
  const long = pack(entry({ name: `d/${'x'.repeat(5_000)}` }))

  assert.throws(() => read(long, 1_000), /a name is too long/)
})

test('files with holes in the format of GNU tar are refused, not taken for something else', (t) => {
  execFileSync('truncate', ['-s', '1M', join(t.directory, 'holes')])
  writeFileSync(join(t.directory, 'holes'), 'end', { flag: 'a' })
  for (const format of ['gnu', 'pax']) {
    const tar = execFileSync('tar', [`--format=${format}`, '-cS', 'holes'], { cwd: t.directory })

    assert.throws(() => read(tar, 1_000), /a sparse file in the format of GNU tar/)
  }
})

test.run()
