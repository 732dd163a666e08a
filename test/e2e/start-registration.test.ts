/** Registration: what each answer of the control plane means, and whom an agent trusts. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { waitFor } from '../helpers/host.ts'
import { startHub } from '../helpers/hub.ts'
import { hubSuite } from '../helpers/hub-suite.ts'
import { startFleetAgent } from '../helpers/started-agent.ts'
import { FIRST_CERTIFICATE } from '../unit/http/certificates.ts'

const test = hubSuite('start: registration')

test('what will not get better ends the agent at once, with the words of the control plane', async ({
  hub,
  start,
}) => {
  const refusals = [
    { status: 401, body: 'Unauthorized' },
    { status: 404, body: 'Not found' },
    { status: 422, body: 'feature not available' },
    { status: 400, body: 'name is invalid' },
    { status: 400, body: 'job not available' },
  ]
  for (const fault of refusals) hub.fail({ on: 'register', fault })
  const seen = await Promise.all(
    refusals.map(async () => {
      const started = await start(['--name', 'refused-agent'])
      return await started.agent.exited
    }),
  )

  assert.equal(
    seen.map(({ code }) => code),
    [2, 2, 2, 2, 2],
  )
  const errors = seen.map(({ stderr }) => stderr).join('')
  for (const { status, body } of refusals) {
    assert.match(
      errors,
      `refused to register the agent, ${status}: ${body} [ERR_REGISTRATION_REFUSED]`,
    )
  }
  assert.match(errors, 'Check that the registration token')
  assert.not.match(errors, hub.registrationToken)
  assert.is(hub.requestsOf('register').length, 5)
  assert.is(hub.agents.all.length, 0)
})

test('options of the other mode are refused before anything happens', async ({ hub, start }) => {
  const { agent } = await start(['--name', 'mixed-agent', '--port', '8000'])
  const { code, stderr } = await agent.exited

  assert.is(code, 2)
  assert.match(stderr, 'Options of an agent that is called by its control plane: --port')
  assert.is(hub.requests.length, 0)
})

test('what passes is tried again, and each cause is said once', async ({ hub, start }) => {
  hub.fail({ on: 'register', fault: { status: 500, body: 'boom' }, times: 2 })
  hub.fail({ on: 'register', fault: { body: 'welcome' } })
  const started = await start([])

  await waitFor(() => hub.agents.byName.size === 1, 'it is registered')
  const { stderr } = await started.stop()

  assert.is(stderr.match(/500: boom/g)?.length, 1)
  assert.is(stderr.match(/other than a JSON object/g)?.length, 1)
  const names = hub.requestsOf('register').map(({ text }) => JSON.parse(text).name)
  assert.is(names.length, 4)
  assert.is(new Set(names).size, 1, 'a random name stays the same')
})

test('an agent that another one has to make room for says so, waits, and can be ended', async ({
  hub,
  start,
}) => {
  for (const [status, body, remedy] of [
    [422, 'agent quota for organization has been reached', 'as soon as another one ends'],
    [400, "agent can't be registered", 'its name is free again after 15 minutes'],
  ] as const) {
    hub.fail({ on: 'register', fault: { status, body }, times: 1_000 })
    const started = await start(['--name', 'waiting-agent'])
    await waitFor(() => started.agent.stderr.includes(body), 'it says why')
    const { code, stderr } = await started.stop()
    hub.faults.clear()

    assert.is(code, 0, stderr)
    assert.match(stderr, remedy)
  }
  assert.is(hub.agents.all.length, 0)
})

test('a control plane is trusted by its certificate, of a private authority too', async ({
  directory,
}) => {
  const hub = await startHub({ tls: FIRST_CERTIFICATE })
  const ca = join(directory, 'ca.pem')
  await writeFile(ca, FIRST_CERTIFICATE.cert)
  const started = await Promise.all(
    [{}, { SSL_CERT_FILE: ca }, { NODE_EXTRA_CA_CERTS: ca }].map((environment) =>
      startFleetAgent(hub, [], { environment }),
    ),
  )
  const [stranger, ...friends] = started
  try {
    await waitFor(() => hub.agents.byName.size === 2, 'two are registered')
    await waitFor(() => /SSL_CERT_FILE/.test(stranger?.agent.stderr ?? ''), 'one says what to do')

    const exits = await Promise.all(started.map((agent) => agent.stop()))

    assert.match(exits[0]?.stderr ?? '', /certificate.*NODE_EXTRA_CA_CERTS or SSL_CERT_FILE/)
    assert.equal(
      exits.map(({ code }) => code),
      [0, 0, 0],
    )
    assert.is(friends.length, 2)
    assert.equal(hub.violations, [])
  } finally {
    for (const agent of started) await agent.remove()
    await hub.close()
  }
})

test.run()
