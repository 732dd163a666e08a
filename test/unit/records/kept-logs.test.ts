import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { JobLog } from '../../../lib/events/job-log.ts'
import type { Logger } from '../../../lib/log.ts'
import { findKeptLog, type KeptLimits, KeptLogs } from '../../../lib/records/kept-logs.ts'
import { keepRequest } from '../../../lib/records/kept-requests.ts'

interface Context {
  directory: string
}

const test = suite<Context>('records: kept logs')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'kept-'))
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }
const NO_LIMITS: KeptLimits = { count: 100, bytes: 1_000_000 }

const open = ({ directory }: Context, limits = NO_LIMITS) =>
  KeptLogs.open(join(directory, 'logs'), limits, SILENT)

/** A finished log of about that many bytes. */
async function keep(kept: KeptLogs, id: string, bytes = 100): Promise<void> {
  const path = kept.pathFor(id)
  const opening = JobLog.create(path)
  kept.put(id, path, opening)
  const log = await opening
  await log.write({ event: 'cmd_output', timestamp: 1, output: 'x'.repeat(bytes) })
  await log.write({ event: 'job_finished', timestamp: 1, result: 'passed' })
  await log.close()
  await keepRequest(path, { id })
}

test('a log is found by its id, whatever that holds, also by the next process', async (t) => {
  const odd = '../../etc/passwd\n\u20ac'.repeat(100)
  await keep(await open(t), odd)

  const next = await open(t)

  assert.ok(next.has(odd))
  assert.is((await next.get(odd))?.finished, true)
  assert.is(await next.get('another'), undefined)
  assert.equal(await readdir(t.directory), ['logs', 'requests'])
})

test('beyond the count the oldest go', async (t) => {
  const kept = await open(t, { ...NO_LIMITS, count: 2 })
  for (const id of ['one', 'two', 'three']) await keep(kept, id)

  await kept.prune()

  assert.equal(
    ['one', 'two', 'three'].map((id) => kept.has(id)),
    [false, true, true],
  )
  for (const part of ['logs', 'requests']) {
    assert.is((await readdir(join(t.directory, part))).length, 2)
  }
  assert.is(await findKeptLog(t.directory, 'one'), undefined)
  assert.is(await findKeptLog(t.directory, 'two'), kept.pathOf('two'))
})

test('beyond the size the oldest go, but never the last', async (t) => {
  const kept = await open(t, { ...NO_LIMITS, bytes: 5_000 })
  await keep(kept, 'small')
  await keep(kept, 'large', 4_000)
  await keep(kept, 'huge', 50_000)

  await kept.prune()

  assert.equal(
    ['small', 'large', 'huge'].map((id) => kept.has(id)),
    [false, false, true],
  )
})

test('a clock that was set back does not make the newest the oldest', async (t) => {
  await mkdir(join(t.directory, 'logs'))
  const tomorrow = Date.now() + 86_400_000
  const long = '100000000000000' // in the year 5138
  for (const number of [long, tomorrow]) {
    const name = `${number}-${String(number).slice(0, 1).repeat(32)}.log`
    await JobLog.create(join(t.directory, 'logs', name)).then((log) => log.close())
  }
  await keep(await open(t), 'now')
  const next = await open(t, { ...NO_LIMITS, count: 2 })

  await next.prune()

  assert.ok(next.has('now'))
  const names = await readdir(join(t.directory, 'logs'))
  assert.is(names.filter((name) => name.startsWith(long.slice(0, 14))).length, 2)
})

test('a log that somebody removed is not there any more', async (t) => {
  await keep(await open(t), 'gone')
  const kept = await open(t)
  await rm(join(t.directory, 'logs'), { recursive: true })

  assert.is(await kept.get('gone'), undefined)
  assert.not.ok(kept.has('gone'))
})

test('what is no log of a job is left alone', async (t) => {
  const kept = await open(t, { count: 1, bytes: 1 })
  await keep(kept, 'one')
  await JobLog.create(join(t.directory, 'logs', 'notes.txt')).then((log) => log.close())
  const next = await open(t, { count: 1, bytes: 1 })
  await keep(next, 'two')

  await next.prune()

  const names = await readdir(join(t.directory, 'logs'))
  assert.ok(names.includes('notes.txt'))
  assert.is(names.length, 2)
})

test.run()
