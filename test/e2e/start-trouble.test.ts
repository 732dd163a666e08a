/** An agent and a control plane that fails, lies or forgets: each row of the tables in lib/hub/README.md. */

import * as assert from 'uvu/assert'
import { encode } from '../helpers/agent.ts'
import { waitFor } from '../helpers/host.ts'
import type { HubJob } from '../helpers/hub/jobs.ts'
import type { Hub } from '../helpers/hub.ts'
import { hubSuite } from '../helpers/hub-suite.ts'

const test = hubSuite('start: trouble')

const SECRET = { env_vars: [{ name: 'SECRET', value: encode('hush') }] }

test('a job that cannot be fetched or built fails, with a log that says why', async ({
  hub,
  start,
}) => {
  hub.sanitizeAfterMs = 0
  const [lost, unknown, wrong, odd, slow] = [
    hub.enqueue({ commands: [{ directive: 'true' }], ...SECRET }),
    hub.enqueueCommands('true'),
    hub.enqueue({ commands: [{ directive: 5 }], executor: 'vm' }),
    hub.enqueueCommands('true'),
    hub.enqueueCommands('echo "$((6 * 7))"'),
  ]
  hub.fail({ on: 'job', fault: 'lost' }) // of the first: the second answer has no secrets
  hub.fail({ on: 'job', fault: { status: 404, body: 'Not found' }, after: 1 })
  hub.fail({ on: 'job', fault: { body: '<html>' }, after: 2 })
  hub.fail({ on: 'job', fault: { status: 500 }, after: 2 })
  const started = await start(['--name', 'fetching-agent'])

  await allOver(hub)
  const { stderr } = await started.stop()

  assert.equal(
    [lost, unknown, wrong, odd, slow].map(({ result }) => result),
    ['failed', 'failed', 'failed', 'passed', 'passed'],
  )
  assert.match(
    lost.log.text,
    /"Fetching the job".*delivered this job before, and hands out its secrets only once/s,
  )
  assert.match(unknown.log.text, /could not be fetched.*404: Not found/)
  assert.match(
    wrong.log.text,
    /executor: expected \\"shell\\".*commands\[0\]\.directive: expected a string/,
  )
  assert.match(slow.log.text, '"output":"42\\n"')
  assert.not.match(stderr, 'hush')
  assert.match(stderr, 'The answer is not the request of this job')
  for (const job of [lost, unknown, wrong, odd, slow]) {
    assert.equal(job.log.bytes, await started.readJobLog(job.id))
    assert.match(job.log.text, /"event":"job_finished".*\n$/)
  }
  assert.equal(hub.violations, [])
})

test('answers that are lost or nonsense change nothing, and are said once', async ({
  hub,
  start,
}) => {
  const job = hub.enqueueCommands('echo "$((6 * 7))"')
  hub.fail({ on: 'sync', fault: 'lost' }) // of the assignment
  hub.fail({ on: 'sync', fault: { body: '{"action":"dance","next_sync_after":20}' }, times: 3 })
  const started = await start(['--name', 'patient-agent'])
  await allOver(hub)
  hub.fail({ on: 'sync', fault: { status: 500, body: 'boom' } })
  const isBack = () => /boom.*The sync succeeds again/s.test(started.agent.stderr)
  await waitFor(isBack, 'it goes on after an error')
  const { stderr } = await started.stop()

  assert.is(job.result, 'passed')
  assert.is(stderr.match(/unknown action "dance"/g)?.length, 1)
  assert.match(stderr, 'The sync failed: POST /sync was answered with 500: boom')
  assert.equal(job.log.bytes, await started.readJobLog(job.id))
  assert.equal(hub.violations, [])
})

test('an agent that is not known any more registers anew: idle at once, with a job after three answers', async ({
  hub,
  start,
}) => {
  const started = await start(['--name', 'forgotten-agent'])
  await waitFor(() => (hub.agents.all[0]?.syncs ?? 0) > 0, 'it has synced')
  hub.agents.forget(known(hub))
  await waitFor(() => hub.agents.all.length === 2, 'it registers anew')

  const job = hub.enqueueCommands('echo now; sleep 1000')
  await waitFor(() => job.log.text.includes('now'), 'the job runs')
  hub.agents.forget(known(hub))
  await waitFor(() => hub.agents.all.length === 3, 'it registers anew')
  const next = hub.enqueueCommands('true')
  await waitFor(() => next.result === 'passed', 'the next job runs')
  const { stderr } = await started.stop()

  const unknown = hub.requestsOf('sync').filter(({ status }) => status === 404)
  assert.is(unknown.length, 1 + 3)
  assert.match(
    stderr,
    `The job ${job.id} is stopped and not reported: the control plane has lost contact with this agent`,
  )
  assert.match(stderr, `[job ${job.id}] The job is over: stopped`)
  assert.equal(hub.violations, [])
})

test('an agent with a job that is told to wait or to end stops it first', async ({
  hub,
  start,
}) => {
  const forgotten = hub.enqueueCommands('echo now; sleep 1000')
  const started = await start(['--name', 'told-agent', '--interruption-grace-period', '300'])
  await waitFor(() => forgotten.log.text.includes('now'), 'the first job runs')
  hub.jobs.finish(forgotten, 'failed', 'somebody has ended it')
  known(hub).job = undefined

  const next = hub.enqueueCommands('echo then; sleep 1000')
  await waitFor(() => next.log.text.includes('then'), 'the next job runs')
  hub.fail({ on: 'sync', fault: { body: '{"action":"shutdown","shutdown_reason":"requested"}' } })
  const { code, stderr } = await started.agent.exited

  assert.is(code, 0)
  assert.is(next.result, 'stopped')
  assert.equal(next.log.bytes, await started.readJobLog(next.id))
  assert.match(stderr, 'The control plane no longer knows the job')
  assert.match(stderr, 'The control plane shuts the agent down: its job is stopped')
  assert.ok(hub.agents.all[0]?.isDisconnected)
  assert.equal(hub.violations, [])
})

function known(hub: Hub) {
  const [agent] = [...hub.agents.byName.values()]
  assert.ok(agent !== undefined)
  return agent as NonNullable<typeof agent>
}

async function allOver(hub: Hub): Promise<void> {
  const isOver = ({ state }: HubJob) => state === 'finished'
  await waitFor(() => [...hub.jobs.byId.values()].every(isOver), 'all jobs are over')
}

test.run()
