import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { pullShared } from '../../../lib/executors/container/images/shared-pulls.ts'
import { rejection } from '../../helpers/rejection.ts'

const test = suite('executors: shared pulls')

/** A job that wants an image; its pull ends when the test says so. */
function job(key: string) {
  const pulling = Promise.withResolvers<void>()
  const stop = new AbortController()
  const state = { pulls: 0, waits: 0 }
  const done = pullShared({
    key,
    signal: stop.signal,
    pull: () => {
      state.pulls++
      stop.signal.addEventListener('abort', () => pulling.reject(stop.signal.reason))
      return pulling.promise
    },
    onWait: () => void state.waits++,
  })
  done.catch(() => undefined)
  return { state, done, stop, pulled: pulling.resolve, failed: pulling.reject }
}

test('of jobs that want the same at once one pulls and the others wait', async () => {
  const [first, second, other] = [job('a'), job('a'), job('b')]
  other.pulled()
  first.pulled()

  assert.is(await first.done, true)
  assert.is(await second.done, false)
  assert.is(await other.done, true)
  assert.equal(second.state, { pulls: 0, waits: 1 })
  const later = job('a')
  later.pulled()
  assert.is(await later.done, true)
})

test('when the job that pulls is stopped, one that waits takes over', async () => {
  const [first, second, third] = [job('a'), job('a'), job('a')]
  const reason = new Error('stopped')
  first.stop.abort(reason)
  assert.is(await rejection(first.done), reason)
  while (second.state.pulls + third.state.pulls === 0) await Promise.resolve()

  const [leader, follower] = second.state.pulls === 1 ? [second, third] : [third, second]
  leader.pulled()

  assert.is(await leader.done, true)
  assert.is(await follower.done, false)
  assert.is(follower.state.waits, 1)
})

test('a job that waits can be stopped, and disturbs nobody', async () => {
  const [first, second] = [job('a'), job('a')]
  const reason = new Error('stopped')

  second.stop.abort(reason)

  assert.is(await rejection(second.done), reason)
  first.pulled()
  assert.is(await first.done, true)
})

test('what fails for one fails for all that wait, and not for who comes later', async () => {
  const [first, second] = [job('a'), job('a')]
  const denied = new Error('denied')

  first.failed(denied)

  assert.is(await rejection(first.done), denied)
  assert.is(await rejection(second.done), denied)
  const later = job('a')
  later.pulled()
  assert.is(await later.done, true)
})

test.run()
