/** An agent that is killed, at whatever moment: its job is reported, its log complete, nothing runs twice. */

import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { JobEvent } from '../../lib/events/event.ts'
import { blocksOf } from '../helpers/events.ts'
import { processesMatching, waitFor } from '../helpers/host.ts'
import type { HubJob } from '../helpers/hub/jobs.ts'
import type { Hub } from '../helpers/hub.ts'
import { hubSuite } from '../helpers/hub-suite.ts'
import type { StartedAgent } from '../helpers/started-agent.ts'

const test = hubSuite('start: crash')

const FLAGS = ['--name', 'killed-agent']

const NEXT = 'echo next'

test('an agent killed while its job runs reports it as failed, and only then asks for another', async ({
  hub,
  start,
}) => {
  const job = hub.enqueueCommands('echo now; sleep 987.6')
  const started = await start(FLAGS)
  await waitFor(() => job.log.text.includes('now'), 'the job runs')
  const before = job.log.bytes
  const memory = join(started.directory, 'state', 'agents', '1.json')
  assert.is((await stat(memory)).mode & 0o777, 0o600)
  assert.is(JSON.parse(await readFile(memory, 'utf8')).job.id, job.id)
  const next = hub.enqueueCommands(NEXT)

  await killAndRestart(started, hub)
  await waitFor(() => next.state === 'finished', 'the next job is over')

  assert.is(job.result, 'failed')
  const block = blocksOf(eventsOf(job)).at(-1)
  assert.match(block?.output ?? '', /^now\nThe agent was killed while this ran/)
  assert.is(job.log.bytes.subarray(0, before.length).compare(before), 0)
  assert.equal(processesMatching('sleep 987.6'), [])
  await assertGoesOn(hub, started, [job, next])
})

for (const [moment, on, fault, text] of [
  ['while it fetches its job', 'job', 'hang', 'The agent was killed before the job began'],
  ['before a line of the log has arrived', 'log', 'hang', 'The agent was killed while this ran'],
] as const) {
  test(`an agent killed ${moment} reports it as failed`, async ({ hub, start }) => {
    const job = hub.enqueueCommands('echo now; sleep 1000')
    hub.fail({ on, fault })
    const started = await start(FLAGS)
    await waitFor(() => hub.requestsOf(on).length > 0, moment)
    if (on === 'log') await waitFor(() => isLogged(started, job, 'now'), 'the job runs')
    const next = hub.enqueueCommands(NEXT)

    await killAndRestart(started, hub)
    await waitFor(() => next.state === 'finished', 'the next job is over')

    assert.is(job.result, 'failed')
    assert.match(job.log.text, text)
    await assertGoesOn(hub, started, [job, next])
  })
}

test('an agent killed while it pushes the end of a log pushes the rest, and reports the job’s own result', async ({
  hub,
  start,
}) => {
  const job = hub.enqueueCommands('echo "$((6 * 7))"')
  hub.fail({ on: 'log', fault: 'reset', times: 1_000 })
  const started = await start(FLAGS)
  await waitFor(() => isLogged(started, job, 'job_finished'), 'the job is over')

  await killAndRestart(started, hub)
  const next = hub.enqueueCommands(NEXT)
  await waitFor(() => next.state === 'finished', 'the next job is over')

  assert.is(job.result, 'passed')
  await assertGoesOn(hub, started, [job, next])
})

test('an agent killed before its result was acknowledged reports it again', async ({
  hub,
  start,
  directory,
}) => {
  const end = join(directory, 'end')
  const job = hub.enqueueCommands(`until [ -e '${end}' ]; do sleep 0.05; done`)
  const started = await start(FLAGS)
  await waitFor(() => job.states.includes('running-job'), 'the job runs')
  hub.faults.always = ({ kind }) => (kind === 'sync' ? 'lost' : undefined)
  await writeFile(end, '')
  await waitFor(() => job.state === 'finished', 'the result has arrived')

  await killAndRestart(started, hub)
  const next = hub.enqueueCommands(NEXT)
  await waitFor(() => next.state === 'finished', 'the next job is over')

  assert.is(job.result, 'passed')
  const results = hub.requestsOf('sync').filter(({ text }) => text.includes(job.id))
  assert.match(results.at(-1)?.text ?? '', '"finished-job"')
  await assertGoesOn(hub, started, [job, next])
})

test('an idle agent comes back under its registration, or under another when its settings are others', async ({
  hub,
  start,
}) => {
  const started = await start([])
  const isIdle = () => hub.agents.all.at(-1)?.syncs !== 0
  await waitFor(() => hub.agents.all.length === 1 && isIdle(), 'it is registered')
  await killAndRestart(started, hub, [])
  const syncs = hub.requestsOf('sync').length
  await waitFor(() => hub.requestsOf('sync').length > syncs, 'it syncs')
  assert.is(hub.requestsOf('register').length, 1)

  await killAndRestart(started, hub, ['--disconnect-after-idle-timeout', '5m'])
  await waitFor(() => hub.agents.all.length === 2 && isIdle(), 'it registers anew')
  assert.is(hub.agents.all[0]?.isDisconnected, true)
  assert.is(hub.agents.all[1]?.registration.idle_timeout, 300)
  assert.is(hub.agents.all[0]?.name, hub.agents.all[1]?.name)
  assert.equal(hub.violations, [])
})

let restarted: StartedAgent | undefined

test.after.each(async () => {
  await restarted?.remove()
  restarted = undefined
})

/** What goes wrong ends with the first one. */
async function killAndRestart(
  started: StartedAgent,
  hub: Hub,
  flags: readonly string[] = FLAGS,
): Promise<void> {
  const { agent } = restarted ?? started
  agent.signal('SIGKILL')
  await agent.exited
  hub.faults.clear()
  restarted = await started.restart(flags)
}

/** Under the same registration, and nothing is left on disk of what is over. */
async function assertGoesOn(
  hub: Hub,
  started: StartedAgent,
  jobs: readonly HubJob[],
): Promise<void> {
  for (const job of jobs) assert.equal(job.log.bytes, await started.readJobLog(job.id), job.id)
  assert.is(hub.requestsOf('register').length, 1)
  assert.is(jobs.at(-1)?.result, 'passed')
  const exit = await restarted?.stop()
  assert.is(exit?.code, 0, exit?.stderr)
  assert.equal(hub.violations, [])
  assert.equal(await readdir(join(started.directory, 'state', 'agents')), [])
  assert.equal(await readdir(join(started.directory, 'state', 'records')), [])
}

async function isLogged(started: StartedAgent, job: HubJob, text: string): Promise<boolean> {
  const log = await started.readJobLog(job.id).catch(() => '') // it has not begun yet
  return log.includes(text)
}

function eventsOf(job: HubJob): JobEvent[] {
  const lines = job.log.text.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as JobEvent)
}

test.run()
