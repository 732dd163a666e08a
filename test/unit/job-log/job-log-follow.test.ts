import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { JobLog } from '../../../lib/events/job-log.ts'
import { FINISHED, type LogLab, linesOf, logLab, logOf, output, outputsIn } from './log-lab.ts'

interface Context {
  lab: LogLab
}

const test = suite<Context>('job log: follow')
const { signal } = new AbortController()

test.before.each(async (t) => {
  t.lab = await logLab()
})

test.after.each(async (t) => {
  await t.lab.remove()
})

test('a follower gets what is there, then each line as it comes, and ends with the job', async ({
  lab,
}) => {
  const log = await logOf(lab.path, 2)
  const reader = log.read(1, { follow: true, signal })[Symbol.asyncIterator]()
  const next = async () => Buffer.from((await reader.next()).value ?? []).toString()

  assert.match(await next(), '"output":"1"')
  const pending = next()
  await log.write(output('live'))
  assert.match(await pending, '"output":"live"')
  const last = next()
  await log.write(FINISHED)
  assert.match(await last, 'job_finished')
  assert.is((await reader.next()).done, true)
})

test('a follower may wait for a line that is far ahead', async ({ lab }) => {
  const log = await logOf(lab.path, 1)
  const reading = linesOf(log.read(3, { follow: true, signal }))

  for (const text of ['1', '2', '3', '4']) await log.write(output(text))
  await log.write(FINISHED)

  const lines = await reading
  assert.equal(outputsIn(lines), ['3', '4', ''])
})

test('200 followers at different places lose, repeat and reorder nothing', async ({ lab }) => {
  const log = await logOf(lab.path, 150)
  const readings = Array.from({ length: 200 }, (_, from) =>
    linesOf(log.read(from, { follow: true, signal })),
  )

  for (let number = 150; number < 2_000; number++) {
    const written = log.write(output(`${number}`))
    if (number % 7 === 0) await written // alone, and several in one write
  }
  await log.write(FINISHED)

  const all = await Promise.all(readings)
  all.forEach((lines, from) => {
    const expected = Array.from({ length: 2_000 - from }, (_, i) => `${from + i}`)
    assert.equal(outputsIn(lines), [...expected, ''])
  })
})

test('a reader that stands still does not hold up the writer or the others', async ({ lab }) => {
  const log = await logOf(lab.path, 1)
  const slow = log.read(0, { follow: true, signal })[Symbol.asyncIterator]()
  await slow.next()

  for (let number = 1; number < 500; number++) await log.write(output('x'.repeat(10_000)))
  await log.write(FINISHED)

  assert.is((await linesOf(log.read(0, { follow: false, signal }))).length, 501)
  const chunk = await slow.next()
  assert.ok((chunk.value?.length ?? 0) <= 65_536)
  await slow.return()
})

test('an aborted follower ends at once and leaves nothing waiting', async ({ lab }) => {
  const log = await logOf(lab.path, 1)
  const controller = new AbortController()
  const follower = log.read(0, { follow: true, signal: controller.signal })[Symbol.asyncIterator]()
  await follower.next()
  const waiting = follower.next()
  const beyond = linesOf(log.read(100, { follow: true, signal: controller.signal }))

  controller.abort()

  assert.is((await waiting).done, true)
  assert.equal(await beyond, [])
  await log.close()
})

test('closing a log that never finished ends its followers after its last line', async ({
  lab,
}) => {
  const log = await JobLog.create(lab.path)
  const reader = log.read(0, { follow: true, signal })
  const reading = linesOf(reader)
  const beyond = linesOf(log.read(9, { follow: true, signal }))

  await log.write(output('last words'))
  await log.close()

  assert.equal(outputsIn(await reading), ['last words'])
  assert.is(reader.reachedEnd, false)
  assert.equal(await beyond, [])
  assert.equal(outputsIn(await linesOf(log.read(0, { follow: true, signal }))), ['last words'])
})

test.run()
