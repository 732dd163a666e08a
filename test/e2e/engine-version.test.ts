/** Which number of the Engine API is spoken with engines that are not the one on this machine. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runJob } from '../helpers/agent.ts'
import { type EngineObjects, engineObjects } from '../helpers/engine.ts'
import { change, type EngineProxy, startEngineProxy } from '../helpers/engine-proxy.ts'
import { blocksOf } from '../helpers/events.ts'

interface Context {
  before: EngineObjects
  proxy: EngineProxy
}

const test = suite<Context>('engine version')

test.before.each(async (t) => {
  t.before = await engineObjects()
  t.proxy = await startEngineProxy()
})

test.after.each(async (t) => {
  await t.proxy.close()
  assert.equal(await engineObjects(), t.before)
})

const job = {
  executor: 'dockercompose',
  compose: { containers: [{ name: 'main', image: 'agent-test/bare' }] },
  commands: [{ directive: 'echo ran' }],
}

const claim = (MinAPIVersion: string, ApiVersion: string) =>
  change<object>((version) => ({ ...version, MinAPIVersion, ApiVersion }))

test('an engine that refuses what is older than 1.44 is spoken to in the newest both know', async ({
  proxy,
}) => {
  const spoken = new Set<string | undefined>()
  proxy.on(/./, ({ request, pass }) => {
    spoken.add(/^\/v([\d.]+)\//.exec(request.url ?? '')?.[1])
    request.url = request.url?.replace(/^\/v[\d.]+/, '') // the engine behind knows another one
    pass()
  })
  proxy.on(/^GET \/version/, claim('1.44', '1.52'))

  const { events, result } = await runJob(job, proxy)

  assert.is(result, 'passed')
  assert.is(blocksOf(events).at(-2)?.output, 'ran\n')
  assert.equal([...spoken], ['1.51'])
})

for (const [oldest, newest, told] of [
  ['1.12', '1.40', /speaks API 1\.40, the agent needs 1\.41 or newer\nUpdate the Docker Engine/],
  ['1.60', '1.70', /speaks API 1\.60 or newer, the agent up to 1\.51\nUpdate the agent/],
] as const) {
  test(`an engine from ${oldest} to ${newest} has nothing in common, which is told`, async ({
    proxy,
  }) => {
    proxy.on(/^GET \/version/, claim(oldest, newest))

    const { events, result } = await runJob(job, proxy)

    assert.is(result, 'failed')
    assert.match(blocksOf(events)[0]?.output ?? '', told)
    assert.equal(
      proxy.calls.filter((call) => !call.startsWith('GET /version')),
      [],
    )
  })
}

test.run()
