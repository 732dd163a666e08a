/** A job that is over makes room at once: what it made is removed beside the next one. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { startControlPlane } from '../helpers/control-plane.ts'
import { engineObjects } from '../helpers/engine.ts'
import type { Caught } from '../helpers/engine-proxy.ts'
import { proxySuite } from '../helpers/engine-suite.ts'
import { waitFor } from '../helpers/host.ts'
import { createJobId } from '../helpers/job-id.ts'
import {
  eventsIn,
  followLog,
  outputIn,
  type ServedAgent,
  serveAgent,
  whenReported,
  withAgent,
} from '../helpers/served-agent.ts'

const test = proxySuite('serve: one job after the other')

const PUBLIC_KEY = Buffer.from('ssh-ed25519 AAAAC3 someone').toString('base64')

async function submit(served: ServedAgent, directive: string, rest: object = {}): Promise<string> {
  const id = createJobId()
  const body = JSON.stringify({ job_id: id, commands: [{ directive }], ...rest })
  const { status, text } = await served.ask('POST', '/jobs', { body })
  assert.is(status, 200, text)
  return id
}

const inContainer = {
  executor: 'dockercompose',
  compose: { containers: [{ name: 'main', image: 'agent-test/bare' }] },
}

test('as soon as job_finished is read the next job is taken, in one after the other of 30', async () => {
  await withAgent(async (served) => {
    for (let job = 0; job < 30; job++) {
      const id = await submit(served, 'sleep 1000 & echo hi')
      const log = await followLog(served, id)

      assert.match((await served.ask('GET', '/status')).text, '"state":"waiting-for-job"')
      assert.match(log, '"result":"passed"')
      const { text } = await served.ask('GET', '/metrics')
      assert.match(text, `agent_jobs_total{result="passed"} ${job + 1}`)
    }
  })
})

test('the next job may come before the finished callback of the last one is answered', async () => {
  await withAgent(async (served) => {
    const next = Promise.withResolvers<string>()
    const plane = await startControlPlane((response) => {
      submit(served, 'echo next')
        .then(next.resolve, next.reject)
        .finally(() => response.end())
    }, 200)
    try {
      const id = await submit(served, 'true', { callbacks: { finished: plane.url } })

      assert.match(outputIn(await followLog(served, await next.promise)), 'next\n')
      assert.is(eventsIn(await followLog(served, id)).at(-1)?.event, 'job_finished')
      assert.is(plane.calls.length, 1)
    } finally {
      await plane.close()
    }
  })
})

test("a job knows nothing of the last one's variables, and its keys stay when the last one's go", async () => {
  await withAgent(async (served) => {
    const home = join(served.directory, 'home')
    const env_vars = [{ name: 'OF_LAST', value: 'eA==' }]
    for (let round = 0; round < 10; round++) {
      const last = await submit(served, 'true', { env_vars, ssh_public_keys: [PUBLIC_KEY] })
      await followLog(served, last)
      const next = await submit(served, 'echo is $OF_LAST.; cat ~/.ssh/authorized_keys', {
        ssh_public_keys: [PUBLIC_KEY],
      })
      const output = outputIn(await followLog(served, next))

      assert.match(output, 'is .\n')
      assert.match(output, 'someone')
    }
    await whenReported(served)
    assert.not.ok(existsSync(join(home, '.bash_profile')))
    assert.not.ok(existsSync(join(home, '.ssh', 'authorized_keys')))
  })
})

test('a job whose containers are slow to go holds up neither the next job nor its stop', async ({
  proxy,
  before,
}) => {
  const served = await serveAgent([], { environment: proxy.environment })
  try {
    const held: Caught[] = []
    proxy.on(/^DELETE/, (call) => void held.push(call))
    const first = await submit(served, 'true', inContainer)
    await followLog(served, first)
    await waitFor(() => held.length > 0, 'it is cleared away')
    const second = await submit(served, 'echo now; exec 3<> <(:); read -t 1000 -u 3', inContainer)
    await waitFor(async () => {
      return (await served.ask('GET', `/jobs/${second}/log`)).text.includes('now\\n')
    }, 'the next job runs beside it')
    await served.ask('POST', '/stop')
    proxy.heal()
    for (const call of held) call.pass()

    assert.match(await followLog(served, second), '"result":"stopped"')
    assert.match(await followLog(served, first), '"result":"passed"')
    served.agent.signal('SIGTERM')
    assert.is((await served.agent.exited).code, 0)
    assert.equal(await engineObjects(), before)
  } finally {
    await served.stop()
  }
})

test('killed between the end of one job and the middle of the next, an agent clears both away', async ({
  proxy,
  before,
}) => {
  let served = await serveAgent([], { environment: proxy.environment })
  try {
    proxy.on(/^DELETE/, () => undefined)
    const first = await submit(served, 'true', inContainer)
    const log = await followLog(served, first)
    const second = await submit(served, 'echo now; exec 3<> <(:); read -t 1000 -u 3', inContainer)
    await waitFor(async () => {
      return (await served.ask('GET', `/jobs/${second}/log`)).text.includes('now\\n')
    }, 'the next job runs beside it')

    proxy.heal()
    served = await served.killAndRestart()

    assert.match(await followLog(served, second), '"result":"failed"')
    assert.is(await followLog(served, first), log)
    await whenReported(served)
    assert.equal(await engineObjects(), before)
  } finally {
    await served.stop()
  }
})

test.run()
