/** Signals to an agent that calls its control plane, with and without contact to it. */

import * as assert from 'uvu/assert'
import { waitFor } from '../helpers/host.ts'
import { hubSuite } from '../helpers/hub-suite.ts'

const test = hubSuite('start: signals')

test('a first signal lets the job go on for the grace period, and no other one begins', async ({
  hub,
  hook,
  start,
}) => {
  const job = hub.enqueueCommands('echo now; sleep 1000')
  const flags = ['--interruption-grace-period', '1', '--shutdown-hook-path', hook]
  const started = await start(['--name', 'spot-agent', ...flags])
  await waitFor(() => job.log.text.includes('now'), 'the job runs')
  hub.enqueueCommands('echo never')
  const before = Math.floor(Date.now() / 1_000)

  const { code, stderr } = await started.stop()

  assert.is(code, 0)
  assert.is(job.result, 'stopped')
  assert.is(hub.jobs.count('queued'), 1)
  const syncs = hub.requestsOf('sync').map(({ text }) => JSON.parse(text))
  const first = syncs.findIndex((sync) => sync.interrupted_at > 0)
  assert.ok(syncs.slice(first).every((sync) => sync.interrupted_at === syncs[first].interrupted_at))
  assert.ok(syncs[first].interrupted_at >= before)
  assert.is(syncs[first].state, 'running-job')
  assert.match(stderr, 'because INTERRUPTED')
  assert.equal(hub.violations, [])
})

test('a second signal stops the job now', async ({ hub, start }) => {
  const job = hub.enqueueCommands('trap "" TERM; echo now; sleep 1000')
  const started = await start(['--interruption-grace-period', '300', '--stop-grace-period', '100s'])
  await waitFor(() => job.log.text.includes('now'), 'the job runs')
  started.agent.signal('SIGINT')
  await waitFor(() => /interrupted_at":[1-9]/.test(hub.requests.at(-1)?.text ?? ''), 'it is told')

  const { code, stderr } = await started.stop()

  assert.is(code, 0)
  assert.is(job.result, 'stopped')
  assert.equal(job.log.bytes, await started.readJobLog(job.id))
  assert.match(stderr, 'SIGTERM again')
  assert.ok(hub.agents.all[0]?.isDisconnected)
  assert.equal(hub.violations, [])
})

test('without contact an idle agent ends, and comes back under its registration', async ({
  hub,
  hook,
  start,
}) => {
  const started = await start(['--name', 'lonely-agent', '--shutdown-hook-path', hook])
  await waitFor(() => (hub.agents.all[0]?.syncs ?? 0) > 0, 'it has synced')
  const { port } = hub
  await hub.stopListening()

  const { code, stderr } = await started.stop()

  assert.is(code, 0)
  assert.match(stderr, 'because UNABLE_TO_SYNC')
  await hub.listen(port)
})

test('without contact an agent with a job ends when the grace period is over, and the next start reports it', async ({
  hub,
  start,
}) => {
  const job = hub.enqueueCommands('echo now; sleep 1000')
  const flags = ['--name', 'cut-off-agent', '--interruption-grace-period', '1']
  const started = await start(flags)
  await waitFor(() => job.log.text.includes('now'), 'the job runs')
  const { port } = hub
  await hub.stopListening()

  const { code, stderr } = await started.stop()
  await hub.listen(port)
  const again = await started.restart(flags)
  try {
    await waitFor(() => job.state === 'finished', 'the job is reported')
    const next = hub.enqueueCommands('true')
    await waitFor(() => next.state === 'finished', 'the next job is over')

    assert.is(code, 0, stderr)
    assert.match(stderr, 'the grace period is over: the job is stopped')
    assert.is(job.result, 'stopped')
    assert.equal(job.log.bytes, await started.readJobLog(job.id))
    assert.is(hub.requestsOf('register').length, 1)
    assert.is(hub.requestsOf('disconnect').length, 0)
    assert.equal(hub.violations, [])
  } finally {
    await again.remove()
  }
})

test('an agent that is not registered yet ends at once', async ({ hub, start }) => {
  hub.fail({ on: 'register', fault: { status: 503 }, times: 100 })
  const started = await start(['--name', 'early-agent'])
  await waitFor(() => hub.requestsOf('register').length > 0, 'it tries')

  const { code, stderr } = await started.stop()

  assert.is(code, 0, stderr)
  assert.is(hub.agents.all.length, 0)
})

test.run()
