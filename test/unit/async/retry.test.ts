import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { backoff, type NextAttempt, retry } from '../../../lib/async/retry.ts'
import { rejection } from '../../helpers/rejection.ts'

const test = suite('async: retry')

/** Fails until the given attempt. */
function failingUntil(success: number) {
  return async (attempt: number) => {
    if (attempt < success) throw new Error(`attempt ${attempt}`)
    return attempt
  }
}

function first(count: number, delays: Iterator<number, never>): number[] {
  return Array.from({ length: count }, () => delays.next().value)
}

test('an action is repeated until it succeeds, and each repetition is announced', async () => {
  const announced: [string, NextAttempt][] = []

  const result = await retry(failingUntil(3), {
    delaysMs: [1, 2, 3],
    onRetry: (error, next) => announced.push([(error as Error).message, next]),
  })

  assert.is(result, 3)
  assert.equal(announced, [
    ['attempt 1', { attempt: 2, delayMs: 1 }],
    ['attempt 2', { attempt: 3, delayMs: 2 }],
  ])
})

test('after the last delay the last failure is thrown', async () => {
  const error = await rejection(retry(failingUntil(9), { delaysMs: [1, 1] }))

  assert.is(error.message, 'attempt 3')
})

test('what is not retryable is thrown at once', async () => {
  const error = await rejection(
    retry(failingUntil(9), { delaysMs: [3_600_000], isRetryable: () => false }),
  )

  assert.is(error.message, 'attempt 1')
})

test('an abort during a delay ends it', async () => {
  const stop = new AbortController()

  const error = await rejection(
    retry(failingUntil(9), {
      delaysMs: [3_600_000],
      signal: stop.signal,
      onRetry: () => void setImmediate(() => stop.abort()),
    }),
  )

  assert.is(error.name, 'AbortError')
})

test('after an abort there is no further attempt', async () => {
  const stop = new AbortController()
  let attempts = 0
  const action = async () => {
    attempts++
    stop.abort()
    throw new Error('failed')
  }

  const error = await rejection(retry(action, { delaysMs: [1, 1], signal: stop.signal }))

  assert.is(error.message, 'failed')
  assert.is(attempts, 1)
})

test('a backoff doubles up to its limit', () => {
  const delays = first(5, backoff({ firstMs: 10, maxMs: 50 }))

  assert.equal(delays, [10, 20, 40, 50, 50])
})

test('jitter shortens delays, by no more than its share', () => {
  const delays = first(100, backoff({ firstMs: 1_000, maxMs: 1_000, jitter: 0.5 }))

  assert.ok(delays.every((ms) => ms > 500 && ms <= 1_000))
  assert.ok(new Set(delays).size > 1)
})

test.run()
