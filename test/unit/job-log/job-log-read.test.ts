import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { formatEvent } from '../../../lib/events/event.ts'
import { JobLog } from '../../../lib/events/job-log.ts'
import {
  FINISHED,
  type LogLab,
  linesOf,
  logLab,
  logOf,
  output,
  outputsIn,
  STARTED,
  stored,
} from './log-lab.ts'

interface Context {
  lab: LogLab
}

const test = suite<Context>('job log: read')
const { signal } = new AbortController()

test.before.each(async (t) => {
  t.lab = await logLab()
})

test.after.each(async (t) => {
  await t.lab.remove()
})

test('what was written is read back byte for byte, from each line on', async ({ lab }) => {
  const log = await JobLog.create(lab.path)
  const events = [
    STARTED,
    output('ü\r\n"\u2028"'),
    output(''),
    output('x'.repeat(200_000)),
    FINISHED,
  ]
  for (const event of events) await log.write(event)

  assert.is(log.lineCount, 5)
  assert.is(log.finished, true)
  for (let from = 0; from <= 5; from++) {
    const expected = events.slice(from).map((event) => formatEvent(event).slice(0, -1))
    assert.equal(await stored(log, from), expected, `from ${from}`)
  }
})

test('a line beyond the end is nothing, not an error', async ({ lab }) => {
  const log = await logOf(lab.path, 3)

  assert.equal(await stored(log, 3), [])
  assert.equal(await stored(log, 4), [])
  assert.equal(await stored(log, Number.MAX_SAFE_INTEGER), [])
  await log.close()
})

test('an empty log is read as nothing', async ({ lab }) => {
  const log = await JobLog.create(lab.path)

  assert.equal(await stored(log), [])
  await log.close()
})

test('each line of a million is found by its number', async ({ lab }) => {
  const log = await logOf(lab.path, 1_000_000)

  assert.is(log.lineCount, 1_000_000)
  for (const from of [0, 1, 255, 256, 257, 65_535, 499_999, 999_743, 999_999]) {
    const reader = log.read(from, { follow: false, signal })[Symbol.asyncIterator]()
    const { value } = await reader.next()
    await reader.return()
    const [first = ''] = Buffer.from(value ?? [])
      .toString()
      .split('\n')
    assert.equal(outputsIn([first]), [`${from}`])
  }
  await log.close()
})

test('lines around every remembered place and chunk end are whole', async ({ lab }) => {
  const log = await JobLog.create(lab.path)
  const lengths = [65_490, 1, 65_536, 65_535, 400_000, 3, 131_072, 1]
  for (const length of lengths) await log.write(output('y'.repeat(length)))

  for (let from = 0; from < lengths.length; from++) {
    const read = outputsIn(await stored(log, from)).map(({ length }) => length)
    assert.equal(read, lengths.slice(from))
  }
  await log.close()
})

test('chunks are bounded, whatever the length of a line', async ({ lab }) => {
  const log = await JobLog.create(lab.path)
  await log.write(output('z'.repeat(1_000_000)))

  for await (const chunk of log.read(0, { follow: false, signal })) {
    assert.ok(chunk.length <= 65_536)
  }
  await log.close()
})

test('a read that does not follow ends at what was there, though the writer goes on', async ({
  lab,
}) => {
  const log = await logOf(lab.path, 10_000)
  const reader = log.read(0, { follow: false, signal })[Symbol.asyncIterator]()
  const first = await reader.next()

  await log.write(output('late'))

  const rest: Uint8Array[] = [first.value ?? new Uint8Array()]
  for (let step = await reader.next(); !step.done; step = await reader.next()) rest.push(step.value)
  const lines = Buffer.concat(rest).toString().trimEnd().split('\n')
  assert.is(lines.length, 10_000)
  await log.close()
})

test('lines written at once are all there, in the order of the calls', async ({ lab }) => {
  const log = await JobLog.create(lab.path)

  await Promise.all(Array.from({ length: 500 }, (_, i) => log.write(output(`${i}`))))

  assert.equal(
    outputsIn(await stored(log)),
    Array.from({ length: 500 }, (_, i) => `${i}`),
  )
  await log.close()
})

test('reachedEnd tells whether job_finished was handed over', async ({ lab }) => {
  const log = await logOf(lab.path, 10)
  const early = log.read(0, { follow: false, signal })
  await linesOf(early)
  await log.write(FINISHED)
  const whole = log.read(0, { follow: false, signal })
  await linesOf(whole)
  const behind = log.read(11, { follow: false, signal })
  await linesOf(behind)
  const unread = log.read(0, { follow: false, signal })

  assert.is(early.reachedEnd, false)
  assert.is(whole.reachedEnd, true)
  assert.is(behind.reachedEnd, false)
  assert.is(unread.reachedEnd, false)
})

test.run()
