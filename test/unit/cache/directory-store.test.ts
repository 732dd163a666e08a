/** The cache in a directory: what is seen of it while and after something goes wrong. */

import { randomBytes } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DirectoryStore } from '../../../lib/cache/directory-store.ts'
import { CacheError } from '../../../lib/errors.ts'
import { createArchive, sha256Of } from '../../helpers/archives.ts'
import { rejection } from '../../helpers/rejection.ts'

interface Context {
  directory: string
  store: DirectoryStore
  open(options?: { project?: string; limitBytes?: number }): DirectoryStore
}

const test = suite<Context>('cache: directory store')

const never = new AbortController().signal
const KIB = 1_024

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'store-'))
  t.open = (options = {}) =>
    new DirectoryStore({ directory: t.directory, project: '', limitBytes: 2 ** 30, ...options })
  t.store = t.open()
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

const files = async (directory: string): Promise<string[]> =>
  (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))

test('an archive comes back as it was stored, however large', async (t) => {
  for (const bytes of [0, 1, 300 * KIB, 3_000 * KIB]) {
    const archive = createArchive(bytes)

    assert.is(await t.store.store(`key-${bytes}`, archive.read(), never), bytes)
    const opened = await t.store.open(`key-${bytes}`, never)
    assert.is(opened?.bytes, bytes)
    assert.is(await sha256Of(opened?.archive), archive.sha256)
  }
})

test('keys keep their characters and stay apart, whatever they look like as files', async (t) => {
  const keys = [
    'a',
    'A',
    'a b',
    '100%',
    '..',
    '.',
    '~',
    'ünï-€',
    'a\nb',
    'x'.repeat(900),
    `${'x'.repeat(899)}y`,
    '%2E%2E',
  ]
  for (const key of keys) await t.store.store(key, createArchive(10).read(), never)

  const listed = await t.store.list()
  assert.equal(listed.map(({ key }) => key).sort(), [...keys].sort())
  for (const key of keys) assert.ok(await t.store.has(key), key)
  await t.store.delete('..')
  assert.not(await t.store.has('..'))
  assert.ok(await t.store.has('.'))
})

test('what somebody else has put there is no key and stays; what a power cut has left is an empty one', async (t) => {
  await t.store.store('k', createArchive(10).read(), never)
  const inside = (name: string) => join(t.directory, '~', name)
  await mkdir(inside('directory.tar.zst'))
  for (const name of ['50%.tar.zst', '%FF.tar.zst']) await writeFile(inside(name), 'x')
  await writeFile(inside('cut.tar.zst'), '')

  const listed = await t.store.list()
  assert.equal(listed.map(({ key, bytes }) => `${key} ${bytes}`).sort(), ['cut 0', 'k 10'])
  assert.match(
    (await rejection(t.store.open('cut', never))).message,
    /damaged and has been removed/,
  )
  await t.store.clear()
  assert.equal(readdirSync(inside('.')).sort(), ['%FF.tar.zst', '50%.tar.zst', 'directory.tar.zst'])
})

test('a thousand long keys are listed without a thousand open files', async (t) => {
  await t.store.store('x'.repeat(900), createArchive(10).read(), never)
  const [first = ''] = await files(t.directory)
  for (let count = 1; count < 1_000; count++)
    await copyFile(first, first.replace('x~', `~${count}`))
  const openFiles = () => readdirSync('/proc/self/fd').length
  const before = openFiles()
  let most = before
  let isListed = false

  const listing = t.store.list().finally(() => {
    isListed = true
  })
  while (!isListed) {
    await nextTurn()
    most = Math.max(most, openFiles())
  }

  assert.is((await listing).length, 1_000)
  assert.ok(most < before + 50, `${most - before} more`)
})

test('projects do not see each other, and none is a project of its own', async (t) => {
  const [a, b] = [t.open({ project: 'a' }), t.open({ project: '../a' })]
  await a.store('k', createArchive(10).read(), never)
  await t.store.store('mine', createArchive(10).read(), never)

  assert.not(await b.has('k'))
  assert.not(await t.store.has('k'))
  await t.store.clear()
  assert.ok(await a.has('k'))
  assert.not(await t.store.has('mine'))
})

test('a key is never overwritten, not even by one that began earlier', async (t) => {
  const [first, second] = [createArchive(10 * KIB), createArchive(20 * KIB)]
  const began = Promise.withResolvers<void>()
  const slow = (async function* () {
    yield* second.read()
    await began.promise
  })()
  const late = t.store.store('k', slow, never)

  assert.is(await t.store.store('k', first.read(), never), first.bytes)
  began.resolve()

  assert.is(await late, undefined)
  assert.is(await sha256Of((await t.store.open('k', never))?.archive), first.sha256)
  assert.is((await files(t.directory)).length, 1)
})

test('a store that fails or is stopped leaves nothing, seen or unseen', async (t) => {
  const stop = new AbortController()
  const failing = (async function* () {
    yield randomBytes(10)
    throw new CacheError('no more', { hint: '' })
  })()
  const stopped = (async function* () {
    yield randomBytes(10)
    stop.abort(new Error('stopped'))
    yield randomBytes(10)
  })()

  assert.is((await rejection(t.store.store('k', failing, never))).message, 'no more')
  assert.is((await rejection(t.store.store('k', stopped, stop.signal))).message, 'stopped')

  assert.equal(await t.store.list(), [])
  assert.equal(await files(t.directory), [])
})

test('what a killed store has left is not seen, and goes when it is old', async (t) => {
  await t.store.store('k', createArchive(10).read(), never)
  const [kept = ''] = await files(t.directory)
  for (const [name, ageSeconds] of [
    ['.old.part', 10_000],
    ['.new.part', 10],
  ] as const) {
    const path = join(kept, '..', name)
    await writeFile(path, 'half')
    await utimes(path, new Date(), Date.now() / 1_000 - ageSeconds)
  }
  assert.is((await t.store.list()).length, 1)

  await t.store.store('k2', createArchive(10).read(), never)

  const left = (await files(t.directory)).filter((path) => path.endsWith('.part'))
  assert.equal(left, [join(kept, '..', '.new.part')])
})

test('a damaged archive is not given out, but removed and named', async (t) => {
  await t.store.store('k', createArchive(50 * KIB).read(), never)
  const [path = ''] = await files(t.directory)
  const bytes = await readFile(path)
  bytes.writeUInt8(bytes.readUInt8(40 * KIB) ^ 0xff, 40 * KIB) // another one, whatever it was
  await writeFile(path, bytes)

  const error = await rejection(t.store.open('k', never))

  assert.instance(error, CacheError)
  assert.match(error.message, /archive of 'k' was damaged/)
  assert.not(await t.store.has('k'))
})

test('a file that is cut off is damaged as well', async (t) => {
  await t.store.store('k', createArchive(50 * KIB).read(), never)
  const [path = ''] = await files(t.directory)
  await writeFile(path, (await readFile(path)).subarray(0, 30 * KIB))

  assert.match((await rejection(t.store.open('k', never))).message, /damaged/)
})

test('the least recently used make room, across projects; what was just stored stays', async (t) => {
  const limitBytes = 100 * KIB
  const [a, b] = [t.open({ limitBytes }), t.open({ limitBytes, project: 'b' })]
  await a.store('first', createArchive(25 * KIB).read(), never)
  await b.store('second', createArchive(25 * KIB).read(), never)
  // Before the third in any case: the kernel's clock of files has ticks of some milliseconds.
  for (const path of await files(t.directory)) await utimes(path, 1_000, new Date())
  await a.store('third', createArchive(10 * KIB).read(), never)
  await sha256Of((await a.open('first', never))?.archive) // used last

  await a.store('fourth', createArchive(30 * KIB).read(), never)

  assert.equal((await a.list()).map(({ key }) => key).sort(), ['first', 'fourth', 'third'])
  assert.equal(await b.list(), [])
  assert.match(
    (await rejection(a.store('huge', createArchive(101 * KIB).read(), never))).message,
    /larger than the limit of the whole cache/,
  )
  assert.ok(await a.has('first'))
})

test('an archive that another agent removes while it is read stays readable', async (t) => {
  const archive = createArchive(3_000 * KIB)
  await t.store.store('k', archive.read(), never)
  const opened = await t.store.open('k', never)

  await t.open().clear()

  assert.is(await sha256Of(opened?.archive), archive.sha256)
})

test('an archive that nobody reads does not keep its file open', async (t) => {
  await t.store.store('k', createArchive(10).read(), never)
  await t.store.open('k', never)
  const open = () => readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).includes(t.directory))
  assert.is(open().length, 1)

  await t.store.close()

  assert.equal(open(), [])
})

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return '' // the one by which the list was read
  }
}

test('keys are listed newest first, and use does not make one newer', async (t) => {
  for (const [key, at] of [
    ['old', 1_000],
    ['new', 3_000],
    ['middle', 2_000],
  ] as const) {
    await t.store.store(key, createArchive(10).read(), never)
    const path = (await files(t.directory)).find((file) => file.includes(`/${key}.`)) ?? ''
    await utimes(path, new Date(), at)
  }
  await sha256Of((await t.store.open('old', never))?.archive)

  assert.equal(
    (await t.store.list()).map(({ key }) => key),
    ['new', 'middle', 'old'],
  )
})

test('a directory that cannot be written to is named, with what to do', async (t) => {
  await writeFile(join(t.directory, 'file'), '')
  const store = new DirectoryStore({
    directory: join(t.directory, 'file'),
    project: '',
    limitBytes: 1,
  })

  const error = await rejection(store.store('k', createArchive(10).read(), never))

  assert.instance(error, CacheError)
  assert.match((error as CacheError).hint, /--cache-dir/)
})

test.run()
