import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TimeLimitWatch, timeLimitsOf } from '../../../lib/job/time-limits.ts'

const test = suite('job: time limits')

test('of two limits the shorter one counts, and 0 is none', () => {
  const limits = timeLimitsOf(
    { timeoutInSeconds: 60, noOutputTimeoutInSeconds: 0 },
    { jobTimeout: 5_000, noOutputTimeout: 7_000 },
  )

  assert.equal(limits, { jobTimeoutMs: 5_000, noOutputTimeoutMs: 7_000 })
  assert.equal(timeLimitsOf({ timeoutInSeconds: 3 }, { jobTimeout: 0 }), {
    jobTimeoutMs: 3_000,
    noOutputTimeoutMs: undefined,
  })
})

test('a limit that is reached is told in a sentence', async () => {
  for (const [limits, expected] of [
    [{ jobTimeoutMs: 100 }, 'The job has taken longer than its limit of 0.1 s.'],
    [{ noOutputTimeoutMs: 100, jobTimeoutMs: 60_000 }, 'There has been no output for 0.1 s.'],
  ] as const) {
    const { promise, resolve } = Promise.withResolvers<string>()
    const watch = new TimeLimitWatch(limits, resolve)

    watch.start()

    assert.is(await promise, expected)
    watch.end()
  }
})

test('a limit longer than a timer holds does not go off at once', async () => {
  let reached = false
  const watch = new TimeLimitWatch({ jobTimeoutMs: 2 ** 40 }, () => {
    reached = true
  })

  watch.start()
  await new Promise((resolve) => setTimeout(resolve, 20))
  watch.end()

  assert.is(reached, false)
})

test.run()
