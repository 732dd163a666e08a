import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type FailedSync, Silence } from '../../../lib/hub/silence.ts'
import { collectingLogger } from '../../helpers/collecting-logger.ts'

const test = suite('hub: silence')

const GONE = { isUnknown: false } as const
const UNKNOWN = { isUnknown: true } as const

test('an idle agent that is not known registers at once, one with a job after three answers', () => {
  const { silence, at } = lab()

  assert.is(silence.judge({ ...UNKNOWN, job: 'none' }), 'unknown')

  silence.end()
  assert.equal(
    [0, 4, 8].map((second) => at(second).judge({ ...UNKNOWN, job: 'going' })),
    ['retry', 'retry', 'unknown'],
  )
})

test('three answers that come at once, or far apart, are not enough', () => {
  const { at } = lab()

  const atOnce = [0, 1, 2].map((second) => at(second).judge({ ...UNKNOWN, job: 'over' }))
  const apart = [100, 170, 240].map((second) => at(second).judge({ ...UNKNOWN, job: 'over' }))

  assert.equal([...atOnce, ...apart], Array(6).fill('retry'))
})

test('a sync that succeeds in between begins the count anew', () => {
  const { silence, at } = lab()
  at(0).judge({ ...UNKNOWN, job: 'going' })
  at(4).judge({ ...UNKNOWN, job: 'going' })
  silence.end()

  assert.is(at(8).judge({ ...UNKNOWN, job: 'going' }), 'retry')
})

test('after ten minutes the agent says that it goes on, once', () => {
  const { at, lines } = lab()

  const advice = [60, 599, 600, 700, 5_000].map((second) => at(second).judge(job('going')))

  assert.equal(advice, Array(5).fill('retry'))
  assert.is(lines.filter((line) => line.includes('10 minutes')).length, 1)
})

test('an interrupted agent without contact gives up: idle in seconds, with a job after its grace', () => {
  const { silence, at } = lab({ graceMs: 60_000 })
  at(100)
  silence.end()
  at(200)
  silence.interrupt()

  assert.is(at(202).judge(job('none')), 'retry')
  assert.is(at(205).judge(job('none')), 'give-up')
  assert.is(at(259).judge(job('going')), 'retry')
  assert.is(at(259).judge(job('over')), 'retry')
  assert.is(at(260).judge(job('going')), 'stop-job')
  assert.is(at(262).judge(job('over')), 'give-up')
})

test('an interrupted agent that was answered after its grace leaves the stop to the control plane', () => {
  const { silence, at } = lab({ graceMs: 10_000 })
  at(0)
  silence.interrupt()
  at(11)
  silence.end()

  assert.is(at(13).judge(job('going')), 'retry')
})

test('a registration of other settings is given up when nobody has answered for 15 minutes', () => {
  const { at } = lab({ isOutdated: true })

  assert.is(at(899).judge(job('over')), 'retry')
  assert.is(at(901).judge(job('over')), 'unknown')
})

function job(job: FailedSync['job']): FailedSync {
  return { ...GONE, job }
}

/** A clock in seconds that is set by hand. */
function lab(options: { readonly graceMs?: number; readonly isOutdated?: boolean } = {}) {
  let now = 0
  const log = collectingLogger()
  const silence = new Silence({
    ...{ log, graceMs: 0, isOutdated: false, now: () => now },
    ...options,
  })
  const at = (second: number) => {
    now = second * 1_000
    return silence
  }
  return { silence, at, lines: log.errors }
}

test.run()
