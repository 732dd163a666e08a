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

test('the first limit that is reached is told, once', async () => {
  const problems: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const watch = new TimeLimitWatch({ jobTimeoutMs: 50, noOutputTimeoutMs: 51 }, (problem) => {
    problems.push(problem)
    setTimeout(resolve, 100)
  })

  watch.start()
  await promise

  assert.equal(problems, ['The job has taken longer than its limit of 0.1 s.'])
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
