import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ControlPlane } from '../../../lib/hub/control-plane.ts'
import { judgeAnswer } from '../../../lib/hub/refusals.ts'
import { type RegisterOptions, register } from '../../../lib/hub/register.ts'
import { createOutboundClient, type OutboundClient } from '../../../lib/outbound.ts'
import { collectingLogger } from '../../helpers/collecting-logger.ts'
import { waitFor } from '../../helpers/host.ts'
import { type Hub, startHub } from '../../helpers/hub.ts'
import { rejection } from '../../helpers/rejection.ts'

interface Lab {
  hub: Hub
  client: OutboundClient
  lines: readonly string[]
  attempt(change?: Partial<RegisterOptions>): ReturnType<typeof register>
}

const test = suite<Lab>('hub: register')

const PAUSES = { firstMs: 1, maxMs: 5, occupiedMs: 5, nameMs: 60_000 }

test.before.each(async (lab) => {
  lab.hub = await startHub()
  lab.client = createOutboundClient()
  const log = collectingLogger()
  lab.lines = log.warnings
  lab.attempt = (change) =>
    register({
      controlPlane: new ControlPlane(`${lab.hub.url}/api/v1/self_hosted_agents`, lab.client),
      token: lab.hub.registrationToken,
      registration: {
        ...{ name: 'unit-agent', version: 'v3.0.0', pid: 1, os: 'Linux', arch: 'x86_64' },
        ...{ hostname: 'here', single_job: false, job_id: '' },
        ...{ idle_timeout: 0, interruption_grace_period: 0 },
      },
      ...{ log, signal: new AbortController().signal, pauses: PAUSES, ...change },
    })
})

test.after.each(async ({ hub, client }) => {
  await client.close()
  await hub.close()
})

test('an answer that was lost leaves a name behind, which is free again after a while', async ({
  hub,
  attempt,
  lines,
}) => {
  hub.fail({ on: 'register', fault: 'lost' })

  const attempted = attempt()
  await waitFor(() => hub.requestsOf('register').length > 5, 'it tries on')
  hub.agents.delete(hub.agents.all[0] as (typeof hub.agents.all)[0], 'it never synced')
  const registered = await attempted

  assert.is(registered.name, 'unit-agent')
  assert.is(registered.token, hub.agents.all[1]?.token)
  assert.is(lines.filter((line) => line.includes("agent can't be registered")).length, 1)
})

test('a name that stays taken is an error of its own', async ({ attempt }) => {
  await attempt()

  const error = await rejection(attempt({ pauses: { ...PAUSES, nameMs: 30 } }))

  assert.is((error as { code?: string }).code, 'ERR_NAME_TAKEN')
  assert.match(error.message, 'The name unit-agent is still taken')
})

test('a quota is waited for', async ({ hub, attempt, lines }) => {
  hub.quota = 0

  const attempted = attempt()
  await waitFor(() => hub.requestsOf('register').length > 5, 'it tries on')
  hub.quota = 1

  assert.is((await attempted).name, 'unit-agent')
  assert.is(lines.filter((line) => line.includes('agent quota')).length, 1)
})

test('nobody has to wait for the end of the tries', async ({ hub, attempt }) => {
  hub.fail({ on: 'register', fault: { status: 503 }, times: 1_000 })
  const stop = new AbortController()

  const attempted = rejection(attempt({ signal: stop.signal }))
  await waitFor(() => hub.requestsOf('register').length > 3, 'it tries')
  stop.abort()

  assert.is((await attempted).name, 'AbortError')
})

for (const [text, registered] of [
  ['{"name":"other","token":"t"}', { name: 'other', token: 't' }],
  ['{"token":"t"}', { name: 'own', token: 't' }],
  ['{"access_token":"t","name":""}', { name: 'own', token: 't' }],
] as const) {
  test(`registered by ${text}`, () => {
    for (const status of [200, 201]) {
      const answer = judgeAnswer({ status, text, date: '' }, 'own')

      assert.equal(answer, { kind: 'registered', registered })
    }
  })
}

for (const [status, text, kind] of [
  [201, '{"name":"a"}', 'passing'],
  [201, '<html>', 'passing'],
  [302, '', 'passing'],
  [400, "agent can't be registered", 'taken'],
  [400, 'name must be longer', 'refused'],
  [401, '', 'refused'],
  [404, '', 'refused'],
  [422, 'agent quota for organization has been reached', 'quota'],
  [422, 'invalid', 'refused'],
  [429, '', 'passing'],
  [500, '', 'passing'],
] as const) {
  test(`an answer of ${status} "${text}" is ${kind}`, () => {
    assert.is(judgeAnswer({ status, text, date: '' }, 'own').kind, kind)
  })
}

test.run()
