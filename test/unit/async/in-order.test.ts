/** Work on several things at once. */

import { setTimeout as sleep } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGate, inOrder } from '../../../lib/async/in-order.ts'
import { rejection } from '../../helpers/rejection.ts'

const test = suite('cache: in order')

/** Work that takes the longer the earlier it begins, and knows how much of it is under way. */
function createWork() {
  const seen = { now: 0, most: 0 }
  const work = async (item: number): Promise<number> => {
    seen.most = Math.max(seen.most, ++seen.now)
    await sleep(10 - item)
    seen.now--
    if (item === 7) throw new Error('seven')
    return item
  }
  return { seen, work }
}

async function* numbers(count: number): AsyncGenerator<number, void> {
  for (let item = 0; item < count; item++) yield item
}

test('results come in the order of the items, and no more is under way than may be', async () => {
  const { seen, work } = createWork()

  assert.equal(await Array.fromAsync(inOrder(numbers(7), 3, work)), [0, 1, 2, 3, 4, 5, 6])
  assert.is(seen.most, 3)
})

test('who fails or stops is told only when nothing is under way any more', async () => {
  const { seen, work } = createWork()

  const error = await rejection(Array.fromAsync(inOrder(numbers(10), 3, work)))
  assert.is(error.message, 'seven')
  assert.is(seen.now, 0)
  for await (const item of inOrder(numbers(7), 3, work)) if (item === 2) break
  assert.is(seen.now, 0)
})

test('a gate lets no more through than it may, also after failures, and all of them in the end', async () => {
  const { seen, work } = createWork()
  const pass = createGate(2)

  const results = await Promise.allSettled(
    [0, 7, 1, 7, 2, 7, 3].map((item) => pass(() => work(item))),
  )

  assert.is(results.filter(({ status }) => status === 'fulfilled').length, 4)
  assert.is(seen.most, 2)
  assert.is(await pass(() => work(5)), 5)
})

test.run()
