/** Several agents in one process. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { waitFor } from '../helpers/host.ts'
import type { HubJob } from '../helpers/hub/jobs.ts'
import { hubSuite } from '../helpers/hub-suite.ts'

const test = hubSuite('start: agents')

test('agents of one process run their jobs side by side, and end one by one', async ({
  hub,
  hook,
  start,
}) => {
  const started = await start([
    ...['--name', 'many-agents', '--agents', '3', '--shutdown-hook-path', hook],
    ...['--interruption-grace-period', '300'],
  ])
  await waitFor(() => hub.agents.byName.size === 3, 'all are registered')
  const jobs = [0, 1, 2].map((number) =>
    hub.enqueueCommands(`export MINE=${number}; echo "now $MINE"; sleep 1000`),
  )
  await waitFor(() => jobs.every(({ log }) => log.text.includes('"now ')), 'all jobs run')
  const [stopped, other, last] = jobs as [HubJob, HubJob, HubJob]
  stopped.isStopRequested = true
  await waitFor(() => stopped.state === 'finished', 'one is stopped')

  assert.equal([other.state, last.state], ['assigned', 'assigned'])
  assert.equal(
    [...hub.agents.byName.keys()].sort(),
    [1, 2, 3].map((n) => `many-agents-${n}`),
  )
  assert.equal(new Set(jobs.map(({ agent }) => agent)).size, 3)

  started.agent.signal('SIGTERM')
  await waitFor(() => hub.agents.byName.size === 2, 'the idle one ends')
  other.isStopRequested = true
  await waitFor(() => hub.agents.byName.size === 1, 'the next one ends')
  assert.is(last.state, 'assigned')
  const { code, stderr } = await started.stop() // a second signal

  assert.is(code, 0)
  assert.is(stderr.match(/because /g)?.length, 1, 'the hook is for all of them')
  assert.is(stderr.match(/share the agent/g)?.length, 1)
  for (const [number, job] of jobs.entries()) {
    assert.is(job.result, 'stopped')
    assert.match(job.log.text, `"output":"now ${number}\\n"`)
    assert.equal(job.log.bytes, await started.readJobLog(job.id))
  }
  assert.equal(hub.violations, [])
})

test('an agent that is not wanted any more reports what it was doing, and disconnects', async ({
  hub,
  start,
}) => {
  const started = await start(['--name', 'fewer-agents', '--agents', '2'])
  await waitFor(() => hub.agents.byName.size === 2, 'both are registered')
  const jobs = [hub.enqueueCommands('sleep 1000'), hub.enqueueCommands('sleep 1000')]
  await waitFor(() => jobs.every(({ states }) => states.includes('running-job')), 'both jobs run')
  started.agent.signal('SIGKILL')
  await started.agent.exited

  const again = await started.restart(['--name', 'fewer-agents', '--agents', '1'])
  try {
    await waitFor(() => jobs.every(({ state }) => state === 'finished'), 'both are reported')
    await waitFor(() => hub.agents.byName.size === 1, 'one is left')
    const { code } = await again.stop()

    assert.is(code, 0)
    assert.equal(
      jobs.map(({ result }) => result),
      ['failed', 'failed'],
    )
    assert.equal(hub.requestsOf('register').length, 2)
    assert.equal(await readdir(join(started.directory, 'state', 'agents')), [])
    assert.equal(hub.violations, [])
  } finally {
    await again.remove()
  }
})

test.run()
