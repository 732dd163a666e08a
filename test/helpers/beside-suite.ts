/** Suites of tests that wait more than they work. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type EngineObjects, engineObjects } from './engine.ts'

type Work = () => Promise<void>

export interface BesideSuite {
  (title: string, work: Work): void
  run(): void
}

/**
 * Its tests run so many at a time, and are told of in their order: each has a job of its own and
 * looks at nothing else. What they leave on the engine counts when all are over.
 */
export function besideSuite(name: string, atOnce = 4): BesideSuite {
  const test = suite<{ before?: EngineObjects }>(name)
  const waiting: Work[] = []

  test.before(async (t) => {
    t.before = await engineObjects()
    for (let i = 0; i < atOnce; i++) void workOff(waiting)
  })
  test.after(async (t) => {
    assert.equal(await engineObjects(), t.before)
  })

  const add = (title: string, work: Work) => {
    const done = Promise.withResolvers<void>()
    done.promise.catch(() => undefined) // until it is its test's turn
    waiting.push(() => work().then(done.resolve, done.reject))
    test(title, () => done.promise)
  }
  return Object.assign(add, { run: () => test.run() })
}

async function workOff(waiting: Work[]): Promise<void> {
  for (let work = waiting.shift(); work !== undefined; work = waiting.shift()) await work()
}
