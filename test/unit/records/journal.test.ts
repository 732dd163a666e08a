import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { StateError } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import { openStateDirectory } from '../../../lib/records/directory.ts'
import type { JournalEntry } from '../../../lib/records/journal.ts'
import { Journals } from '../../../lib/records/journals.ts'

interface Context {
  directory: string
}

const test = suite<Context>('records: journal')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'state-'))
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

const entryOf = (id: string): JournalEntry => ({
  id,
  executor: 'shell',
  logPath: `/logs/1-${id}.log`,
  callbacks: { token: 'hush' },
  traces: { cookie: 'c', directory: '/d', home: '/h', since: 1, bootId: 'b' },
  leaders: [],
})

function collecting(): Logger & { readonly errors: string[] } {
  const errors: string[] = []
  const quiet = () => undefined
  return { errors, debug: quiet, info: quiet, warn: quiet, error: (text) => void errors.push(text) }
}

test('what a job has made is found by the next process, until nothing of it is left', async (t) => {
  const journals = await Journals.open(t.directory)
  const first = journals.of('/logs/1-a.log')
  await first.begin(entryOf('a'))
  await first.update({ leaders: [{ pid: 7, startedAt: 1 }] })
  await journals.of('/logs/2-b.log').begin(entryOf('b'))

  const log = collecting()
  const left = await (await Journals.open(t.directory)).readAll(log)
  assert.equal(
    left.map(({ entry }) => [entry.id, entry.leaders.length]),
    [
      ['a', 1],
      ['b', 0],
    ],
  )
  for (const { journal } of left) await journal.end()

  assert.equal(await (await Journals.open(t.directory)).readAll(log), [])
  assert.equal(log.errors, [])
})

test('only its own user can read it: a token is in it', async (t) => {
  await (await Journals.open(t.directory)).of('/logs/1-a.log').begin(entryOf('a'))

  const [name = ''] = await readdir(t.directory)
  assert.is((await stat(join(t.directory, name))).mode & 0o777, 0o600)
})

test('one that cannot be read is told and left alone; the others are taken up', async (t) => {
  const journals = await Journals.open(t.directory)
  await journals.of('/logs/1-a.log').begin(entryOf('a'))
  await writeFile(join(t.directory, '0-torn.json'), '{"format":2,"id"')
  await writeFile(join(t.directory, '0-newer.json'), '{"format":3}')

  const log = collecting()
  const left = await journals.readAll(log)

  assert.equal(
    left.map(({ entry }) => entry.id),
    ['a'],
  )
  assert.is(log.errors.length, 2)
  assert.match(log.errors[0] ?? '', 'not one this agent can read')
  assert.is((await readdir(t.directory)).length, 3)
})

test('a journal that cannot be written is an error that says what to do', async (t) => {
  const journals = await Journals.open(join(t.directory, 'journal'))
  await rm(join(t.directory, 'journal'), { recursive: true })

  const error = await journals
    .of('/logs/1-a.log')
    .begin(entryOf('a'))
    .catch((reason: unknown) => reason)

  assert.instance(error, StateError)
  assert.match((error as StateError).message, 'cannot be written')
})

test('a state directory has one holder at a time, and keeps its name', async (t) => {
  const directory = join(t.directory, 'state')
  const first = await openStateDirectory([directory])

  const error = await openStateDirectory([directory]).catch((reason: unknown) => reason)
  assert.instance(error, StateError)
  assert.match((error as StateError).message, `(process ${process.pid})`)
  first.release()
  const second = await openStateDirectory([directory])

  assert.is(second.instance, first.instance)
  second.release()
})

test('the first directory that can be used is taken; if none can, each reason is told', async (t) => {
  const good = join(t.directory, 'good')
  const { path, release } = await openStateDirectory(['/dev/null/nope', good])
  assert.is(path, good)
  release()

  const error = await openStateDirectory(['/dev/null/a', '/dev/null/b']).catch((it: unknown) => it)
  assert.instance(error, StateError)
  assert.match((error as StateError).message, /\/dev\/null\/a: .*\/dev\/null\/b: /)
})

test.run()
