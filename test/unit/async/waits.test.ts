import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ByteCount, describeTransfer, Waits } from '../../../lib/async/waits.ts'

const test = suite('async: waits')

test('what is waited for is described as long as it is', () => {
  const waits = new Waits()
  let seconds = 1
  const first = waits.begin(() => `first ${seconds} s`)
  {
    using _ = waits.begin(() => 'second')
    seconds = 2

    assert.is(waits.describe(), 'first 2 s; second')
  }
  first[Symbol.dispose]()
  assert.is(waits.describe(), '')
})

test('a transfer has an amount, a rate, and time left where its size is known', () => {
  assert.is(describeTransfer(12_300_000, undefined, 2_000), '12.3 MB, 6.2 MB/s')
  assert.is(describeTransfer(5e6, 20e6, 5_000), '5.0 of 20.0 MB, 1.0 MB/s, 15 s left')
  assert.is(describeTransfer(0, 20e6, 5_000), '0.0 of 20.0 MB, 0.0 MB/s')
})

test('bytes are counted as they pass, and are the same', async () => {
  const count = new ByteCount()
  const chunks = [Buffer.alloc(400_000, 'a'), Buffer.alloc(600_000, 'b')]
  const source = (async function* () {
    yield* chunks
  })()

  assert.equal(await Array.fromAsync(count.pass(source)), chunks)
  assert.match(count.describe(), /^1\.0 MB, /)
})

test.run()
