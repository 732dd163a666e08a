/** An agent that calls its control plane, from its registration to its end. */

import { readFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { VERSION } from '../../lib/version.ts'
import { encode } from '../helpers/agent.ts'
import { waitFor } from '../helpers/host.ts'
import { hubSuite } from '../helpers/hub-suite.ts'

const test = hubSuite('start: life')

test('an agent registers, runs job after job, stops one, and ends when it is interrupted', async ({
  hub,
  start,
}) => {
  const first = hub.enqueue({
    commands: [{ directive: 'echo "$GREETING"' }],
    env_vars: [{ name: 'GREETING', value: encode('hello') }],
  })
  const second = hub.enqueueCommands('false')
  const long = hub.enqueueCommands('echo now; sleep 1000')
  const started = await start(['--name', 'first-agent'])
  await waitFor(() => long.log.text.includes('now'), 'the third job runs')
  long.isStopRequested = true
  await waitFor(() => hub.jobs.count('finished') === 3, 'all jobs are over')
  const { code, stderr } = await started.stop()

  assert.is(code, 0, stderr)
  assert.equal(hub.violations, [])
  assert.equal(
    [first, second, long].map(({ result }) => result),
    ['passed', 'failed', 'stopped'],
  )
  for (const job of [first, second, long]) {
    assert.equal(job.log.bytes, await started.readJobLog(job.id), 'byte for byte')
    assert.is(job.linesAtEnd, job.log.lineCount)
  }
  assert.match(first.log.text, '"output":"hello\\n"')
  assert.equal(long.states, ['starting-job', 'running-job', 'stopping-job', 'finished-job'])
  assert.equal(hub.requestsOf('callback'), [])
  assert.is(hub.requestsOf('disconnect').length, 1)
  assert.equal(new Set(hub.requests.map(({ headers }) => headers['user-agent'])), userAgents())
  assert.equal(hub.agents.all[0]?.registration.os, await systemName())
  assert.is(hub.agents.all[0]?.registration.version, `v${VERSION}`)
  for (const secret of [hub.registrationToken, hub.agents.all[0]?.token ?? '']) {
    assert.not.match(stderr, secret)
  }
})

test('an agent for one job ends after it, with its result, and runs its hook', async ({
  hub,
  hook,
  start,
}) => {
  const job = hub.enqueueCommands('exit 7')
  hub.enqueueCommands('echo not for this one')
  const started = await start([
    ...['--disconnect-after-job', '--exit-with-job-result', '--job-id', job.id],
    ...['--shutdown-hook-path', hook],
  ])
  const { code, stderr } = await started.agent.exited

  assert.is(code, 1, stderr)
  assert.is(job.result, 'failed')
  assert.match(stderr, 'shutdown hook: because JOB_FINISHED')
  assert.match(stderr, 'The shutdown hook ended with 3')
  const [agent] = hub.agents.all
  assert.is(agent?.registration.single_job, true)
  assert.is(agent?.registration.job_id, job.id)
  assert.match(agent?.name ?? '', /^[A-Za-z0-9]{20}$/)
  assert.ok(agent?.isDisconnected)
  assert.is(hub.jobs.count('queued'), 1)
  assert.equal(hub.violations, [])
})

test('the result of the job is the exit code, also of one that passed or was stopped', async ({
  hub,
  start,
}) => {
  const jobs = [hub.enqueueCommands('true'), hub.enqueueCommands('sleep 1000')] as const
  const started = await Promise.all(
    jobs.map(({ id }) =>
      start(['--disconnect-after-job', '--exit-with-job-result', '--job-id', id]),
    ),
  )
  const [, stopped] = jobs
  await waitFor(() => stopped.states.includes('running-job'), 'the endless one runs')
  stopped.isStopRequested = true
  const exits = await Promise.all(started.map(({ agent }) => agent.exited))

  assert.equal(
    exits.map(({ code }) => code),
    [0, 130],
  )
  assert.equal(
    jobs.map(({ result }) => result),
    ['passed', 'stopped'],
  )
  assert.equal(hub.violations, [])
})

test('an agent without work ends as its control plane says, and tells its hook why', async ({
  hub,
  hook,
  start,
}) => {
  const idle = await start([
    ...['--disconnect-after-idle-timeout', '1', '--interruption-grace-period', '90s'],
    ...['--shutdown-hook-path', hook],
  ])
  const requested = await start(['--shutdown-hook-path', hook])
  await waitFor(() => hub.agents.byName.size === 2, 'both are registered')
  const [first, second] = hub.agents.all
  for (const agent of [first, second]) {
    if (agent?.registration.idle_timeout === 0) agent.isShutdownRequested = true
  }
  const exits = await Promise.all([idle.agent.exited, requested.agent.exited])

  assert.equal(
    exits.map(({ code }) => code),
    [0, 0],
  )
  assert.match(exits[0].stderr, 'because IDLE')
  assert.match(exits[1].stderr, 'because REQUESTED')
  const grace = hub.agents.all.map(({ registration: it }) => it.interruption_grace_period)
  assert.equal(grace.sort(), [0, 90])
  assert.equal(hub.violations, [])
})

function userAgents(): Set<string> {
  return new Set([`SemaphoreAgent/v${VERSION}`])
}

async function systemName(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8')
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? 'Linux'
}

test.run()
