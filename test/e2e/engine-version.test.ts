/** Which number of the Engine API is spoken with engines that are not the one on this machine. */

import * as assert from 'uvu/assert'
import { runJob } from '../helpers/agent.ts'
import { containerJob } from '../helpers/container-job.ts'
import { change } from '../helpers/engine-proxy.ts'
import { proxySuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'

const test = proxySuite('engine version')

const job = containerJob({ image: 'agent-test/bare' }, ['echo ran'])

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
  [
    '1.12',
    '1.40',
    /speaks API 1\.40, the agent needs 1\.41 or newer \[ERR_DOCKER_VERSION\]\nUpdate the Docker Engine/,
  ],
  [
    '1.60',
    '1.70',
    /speaks API 1\.60 or newer, the agent up to 1\.51 \[ERR_DOCKER_VERSION\]\nUpdate the agent/,
  ],
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
