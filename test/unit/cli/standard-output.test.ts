import { Writable } from 'node:stream'
import { setImmediate as tick } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { StandardOutput } from '../../../lib/cli/standard-output.ts'
import { JobLogError } from '../../../lib/errors.ts'

const test = suite('cli: standard output')

/** A reader that takes a piece only when told to, like a pipe into a program that is busy. */
class SlowReader extends Writable {
  taken = ''
  #waiting: Array<() => void> = []

  constructor() {
    super({ highWaterMark: 4, decodeStrings: false })
  }

  override _write(chunk: string, _: BufferEncoding, done: (error?: Error) => void): void {
    this.#waiting.push(() => {
      this.taken += chunk
      done()
    })
  }

  take(): void {
    this.#waiting.shift()?.()
  }
}

/** A reader that fails at once. */
function failingReader(code: string): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) =>
      done(Object.assign(new Error(`${code}: it failed`), { code })),
  })
}

async function settles(promise: unknown): Promise<boolean> {
  let settled = false
  const done = () => {
    settled = true
  }
  Promise.resolve(promise).then(done, done)
  for (let turn = 0; turn < 10; turn++) await tick()
  return settled
}

const neverForced = new AbortController().signal

test('a reader that keeps up is not waited for', () => {
  const output = new StandardOutput({ stream: new SlowReader(), forceStop: neverForced })

  assert.is(output.write('abc'), undefined)
})

test('a reader that is behind is waited for', async () => {
  const reader = new SlowReader()
  const output = new StandardOutput({ stream: reader, forceStop: neverForced })

  const written = output.write('abcdef')
  assert.not(await settles(written))

  reader.take()
  assert.ok(await settles(written))
  assert.is(reader.taken, 'abcdef')
})

test('flush waits for the last piece, however small', async () => {
  const reader = new SlowReader()
  const output = new StandardOutput({ stream: reader, forceStop: neverForced })
  void output.write('a')

  const flushed = output.flush()
  assert.not(await settles(flushed))

  reader.take()
  await tick()
  reader.take()
  assert.ok(await settles(flushed))
  assert.is(reader.taken, 'a')
})

test('a reader that has gone away changes nothing for the job', async () => {
  const output = new StandardOutput({ stream: failingReader('EPIPE'), forceStop: neverForced })

  assert.ok(await settles(output.write('a'.repeat(100_000))))
  await output.write('b')
  await output.flush()
})

test('a full disk is a failure that says so, now and from then on', async () => {
  const output = new StandardOutput({ stream: failingReader('ENOSPC'), forceStop: neverForced })
  const isTold = (error: unknown) =>
    error instanceof JobLogError && /to standard output: ENOSPC/.test(error.message)

  const first = await Promise.resolve(output.write('a')).catch((reason: unknown) => reason)

  assert.ok(isTold(first))
  assert.throws(() => output.write('b'), isTold)
})

test('nobody waits for a stalled reader after a forced stop', async () => {
  const forceStop = new AbortController()
  const output = new StandardOutput({ stream: new SlowReader(), forceStop: forceStop.signal })
  const written = output.write('abcdef')

  forceStop.abort()

  assert.ok(await settles(written))
  assert.is(output.write('more'), undefined)
  await output.flush()
})

test.run()
