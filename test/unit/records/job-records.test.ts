import { link, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { StateError } from '../../../lib/errors.ts'
import { readJobRecord } from '../../../lib/records/job-record.ts'
import { JobRecords } from '../../../lib/records/job-records.ts'
import { collectingLogger } from '../../helpers/collecting-logger.ts'
import { jobRecord } from '../../helpers/job-record.ts'

interface Context {
  directory: string
}

const test = suite<Context>('records: job records')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'state-'))
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

test('what a job has made is found by the next process, until it is removed', async (t) => {
  const records = await JobRecords.open(t.directory)
  const first = records.of('/logs/1-a.log')
  await first.begin(jobRecord({ id: 'a' }))
  await first.update({ leaders: [{ pid: 7, startedAt: 1 }] })
  await records.of('/logs/2-b.log').begin(jobRecord({ id: 'b' }))

  const log = collectingLogger()
  const left = await (await JobRecords.open(t.directory)).readAll(log)
  assert.equal(
    left.map(({ record }) => [record?.id, record?.leaders.length]),
    [
      ['a', 1],
      ['b', 0],
    ],
  )
  for (const recorded of left) await recorded.remove()

  assert.equal(await (await JobRecords.open(t.directory)).readAll(log), [])
  assert.equal(log.errors, [])
})

test('only its own user can read it: a token is in it', async (t) => {
  const recorded = (await JobRecords.open(t.directory)).of('/logs/1-a.log')
  await recorded.begin(jobRecord())

  assert.is((await stat(recorded.path)).mode & 0o777, 0o600)
})

test('one that cannot be read is reported and left alone; the others are recovered', async (t) => {
  const records = await JobRecords.open(t.directory)
  const recorded = records.of('/logs/1-a.log')
  await recorded.begin(jobRecord({ id: 'a' }))
  await writeFile(join(t.directory, '0-torn.json'), '{"format":1,"id"')
  await writeFile(join(t.directory, '0-newer.json'), '{"format":2}')
  await link(join(t.directory, '0-newer.json'), join(t.directory, '0-linked.json'))

  const log = collectingLogger()
  const left = await records.readAll(log)

  assert.equal(
    left.map(({ record }) => record?.id),
    ['a'],
  )
  assert.is(log.errors.length, 3)
  for (const error of log.errors) assert.match(error, 'not one this agent can read')
  assert.is((await readdir(t.directory)).length, 4)
})

test('changes that are made at once are all written', async (t) => {
  const recorded = (await JobRecords.open(t.directory)).of('/logs/1-a.log')
  const begun = recorded.begin(jobRecord())
  const changed = Array.from({ length: 20 }, (_, index) =>
    recorded.update({
      containers: [...(recorded.record?.containers ?? []), { name: `${index}`, id: 'x' }],
    }),
  )
  await Promise.all([begun, ...changed])

  assert.is(readJobRecord(recorded.path)?.containers.length, 20)
})

test('a record that cannot be written is an error that says what to do', async (t) => {
  const records = await JobRecords.open(join(t.directory, 'records'))
  await rm(join(t.directory, 'records'), { recursive: true })

  const error = await records
    .of('/logs/1-a.log')
    .begin(jobRecord())
    .catch((reason: unknown) => reason)

  assert.instance(error, StateError)
  assert.match((error as StateError).message, 'cannot be written')
})

test.run()
