import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { StateError } from '../../../lib/errors.ts'
import { openStateDirectory } from '../../../lib/records/directory.ts'

interface Context {
  directory: string
}

const test = suite<Context>('records: state directory')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'state-'))
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
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

test('the first directory that can be used is taken; if none can, each reason is reported', async (t) => {
  const good = join(t.directory, 'good')
  const { path, release } = await openStateDirectory(['/dev/null/nope', good])
  assert.is(path, good)
  release()

  const error = await openStateDirectory(['/dev/null/a', '/dev/null/b']).catch((it: unknown) => it)
  assert.instance(error, StateError)
  assert.match((error as StateError).message, /\/dev\/null\/a: .*\/dev\/null\/b: /)
})

test.run()
