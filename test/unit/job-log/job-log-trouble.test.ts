import { execFile } from 'node:child_process'
import {
  appendFile,
  chmod,
  readdir,
  readFile,
  readlink,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { JobLogError } from '../../../lib/errors.ts'
import { formatEvent } from '../../../lib/events/event.ts'
import { JobLog } from '../../../lib/events/job-log.ts'
import { FINISHED, type LogLab, logLab, logOf, output, outputsIn, stored } from './log-lab.ts'

interface Context {
  lab: LogLab
}

const test = suite<Context>('job log: trouble')

test.before.each(async (t) => {
  t.lab = await logLab()
})

test.after.each(async (t) => {
  await t.lab.remove()
})

async function rejection(promise: Promise<unknown>): Promise<JobLogError> {
  const error = await promise.then(
    () => assert.unreachable('expected a rejection'),
    (reason: unknown) => reason,
  )
  assert.instance(error, JobLogError)
  return error as JobLogError
}

/** Descriptors of this process that stand for a file in a directory. */
async function openIn(directory: string): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd')
  const targets = await Promise.all(
    descriptors.map((id) => readlink(`/proc/self/fd/${id}`).catch(() => '')),
  )
  return targets.filter((target) => target.startsWith(directory))
}

test('a log never overwrites a file', async ({ lab }) => {
  await writeFile(lab.path, 'precious')

  const error = await rejection(JobLog.create(lab.path))

  assert.match(error.message, `${lab.path} cannot be created: it exists already`)
  assert.is(await readFile(lab.path, 'utf8'), 'precious')
})

test('a new log is for this user alone', async ({ lab }) => {
  const log = await JobLog.create(lab.path)

  const { stdout } = await promisify(execFile)('stat', ['-c', '%a', lab.path])

  assert.is(stdout.trim(), '600')
  await log.close()
})

test('a log that was deleted fails the write and says so', async ({ lab }) => {
  const log = await logOf(lab.path, 3)
  await rm(lab.path)

  const error = await rejection(log.write(output('lost')))

  assert.match(error.message, 'it was deleted')
  assert.is(log.lineCount, 3)
  assert.is((await stored(log)).length, 3, 'what is there can still be read while the job runs')
  await log.close()
  assert.match((await rejection(stored(log))).message, 'cannot be read: it is gone')
})

test('a log that somebody else wrote to or cut fails the write', async ({ lab }) => {
  const log = await logOf(lab.path, 3)
  await appendFile(lab.path, 'graffiti\n')
  const error = await rejection(log.write(output('lost')))
  assert.match(error.message, /its size is \d+ bytes instead of \d+/)

  await truncate(lab.path, 10)

  assert.match((await rejection(log.write(output('lost')))).message, 'its size is 10 bytes')
  assert.is((await stored(log)).length, 3, 'what was just written is still in memory')
  await log.close()
  assert.match((await rejection(stored(log))).message, 'somebody has cut it short')
  await log.close()
})

test('a full disk fails the write whole, and the last lines still fit', async ({ lab }) => {
  const program = join(import.meta.dirname, 'fill-disk.ts')
  const mount = `mount -t tmpfs -o size=256k none "$1" && exec "$2" "$3" "$1"`
  const { stdout } = await promisify(execFile)(
    ...([
      'unshare',
      ['-rm', 'sh', '-c', mount, 'sh', lab.directory, process.execPath, program],
    ] as const),
    { timeout: 60_000 },
  )

  const { message, code, lineCount, before, lines, files } = JSON.parse(stdout) as {
    message: string
    code: string
    before: number
    lineCount: number
    lines: string[]
    files: string[]
  }
  assert.match(message, /job\.log cannot be written: the disk is full/)
  assert.is(code, 'ERR_JOB_LOG_FAILED')
  assert.is(lineCount, before + 3)
  assert.is(lines.length, lineCount)
  for (const line of lines) JSON.parse(line)
  assert.equal(outputsIn(lines.slice(-3)), ['the disk is full', 'd'.repeat(8_000), ''])
  assert.match(lines.at(-1) ?? '', 'job_finished')
  assert.equal(files, ['job.log'])
})

test('a finished log holds no descriptor and no second file', async ({ lab }) => {
  const log = await logOf(lab.path, 3)
  await log.write(FINISHED)
  await log.close()
  await stored(log)

  assert.equal(await openIn(lab.directory), [])
  assert.equal(await readdir(lab.directory), ['job.log'])
})

test('a reader that leaves in the middle gives its descriptor back', async ({ lab }) => {
  const log = await logOf(lab.path, 20_000)
  await log.write(FINISHED)
  await log.close() // its writer's own descriptor is back then
  const { signal } = new AbortController()
  const reader = log.read(0, { follow: true, signal })[Symbol.asyncIterator]()
  await reader.next()
  assert.is((await openIn(lab.directory)).length, 1)

  await reader.return()

  assert.equal(await openIn(lab.directory), [])
})

test('after job_finished nothing more is taken', async ({ lab }) => {
  const log = await logOf(lab.path, 1)
  await log.write(FINISHED)

  const error = await log.write(output('late')).catch((reason: Error) => reason)

  assert.match(error?.message ?? '', 'has ended: no cmd_output after that')
  assert.is(log.lineCount, 2)
})

test('reopen finds every line and goes on at the next', async ({ lab }) => {
  const first = await logOf(lab.path, 1_000)
  await first.close()

  const log = await JobLog.reopen(lab.path)
  assert.is(log.lineCount, 1_000)
  assert.is(log.finished, false)
  await log.write(FINISHED)

  assert.equal(outputsIn(await stored(log, 998)), ['998', '999', ''])
  const again = await JobLog.reopen(lab.path)
  assert.is(again.finished, true)
  assert.is(again.lineCount, 1_001)
  assert.is((await stored(again, 1_000)).length, 1)
  assert.equal(await openIn(lab.directory), [])
})

test('reopen cuts a torn last line at every byte, and keeps all before it', async ({ lab }) => {
  const whole = formatEvent(output('kept'))
  const torn = formatEvent(FINISHED)
  for (let length = 0; length < torn.length; length++) {
    await writeFile(lab.path, whole + torn.slice(0, length))

    const log = await JobLog.reopen(lab.path)

    assert.is(log.lineCount, 1)
    assert.is(log.finished, false)
    await log.write(FINISHED)
    assert.is(await readFile(lab.path, 'utf8'), whole + torn)
  }
})

test('reopen finds lines longer than its reads', async ({ lab }) => {
  const first = await JobLog.create(lab.path)
  const lengths = [262_090, 262_144, 1, 1_000_000]
  for (const length of lengths) await first.write(output('w'.repeat(length)))
  await first.close()

  const log = await JobLog.reopen(lab.path)

  assert.is(log.lineCount, 4)
  for (let from = 0; from < 4; from++) {
    const read = outputsIn(await stored(log, from)).map(({ length }) => length)
    assert.equal(read, lengths.slice(from))
  }
  await log.close()
})

test('reopen of an empty or a missing file', async ({ lab }) => {
  await writeFile(lab.path, '')
  const log = await JobLog.reopen(lab.path)
  assert.is(log.lineCount, 0)
  await log.close()
  await rm(lab.path)

  const error = await rejection(JobLog.reopen(lab.path))

  assert.match(error.message, 'cannot be opened: it is gone')
})

test('a directory that is not there is named', async ({ lab }) => {
  await chmod(lab.directory, 0o700)

  const error = await rejection(JobLog.create(join(lab.directory, 'no', 'job.log')))

  assert.match(error.message, /no\/job\.log cannot be created/)
})

test.run()
