import { getEventListeners } from 'node:events'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Deadline, LinkedAbort, onAbort, unlessAborted } from '../../../lib/async/abort.ts'

const test = suite('async: abort')

test('a listener is called at once by a signal that is aborted already', () => {
  let calls = 0

  using _ = onAbort(AbortSignal.abort(), () => calls++)

  assert.is(calls, 1)
})

test('nothing stays at a signal that is not waited for any more', async () => {
  const { signal } = new AbortController()

  {
    using _listener = onAbort(signal, () => undefined)
    using _linked = new LinkedAbort(signal)
    using _deadline = new Deadline(60_000, signal)
    assert.is(getEventListeners(signal, 'abort').length, 3)
  }
  await unlessAborted(Promise.resolve(), signal)

  assert.is(getEventListeners(signal, 'abort').length, 0)
})

test('a linked abort takes the reason of the first signal', () => {
  const [first, second] = [new AbortController(), new AbortController()]
  using linked = new LinkedAbort(first.signal, second.signal)

  second.abort('second')
  first.abort('first')

  assert.is(linked.signal.reason, 'second')
})

test('a deadline passes by itself, and says so', async () => {
  using deadline = new Deadline(1)

  await new Promise<void>((resolve) => void onAbort(deadline.signal, resolve))

  assert.is(deadline.signal.reason.name, 'TimeoutError')
})

test('work is not waited for after an abort', async () => {
  const controller = new AbortController()
  const waiting = unlessAborted(new Promise<never>(() => undefined), controller.signal)

  controller.abort(new Error('no more'))

  assert.is(await waiting.catch((error: Error) => error.message), 'no more')
})

test.run()
