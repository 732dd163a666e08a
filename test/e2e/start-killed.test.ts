/**
 * Agents that are killed at random and started again: no job is lost or runs twice, what was
 * interrupted is reported as failed with the reason, and each log is complete up to the kill.
 *
 * `KILLS=200 SEED=7 npm test -- start-killed` for a longer run of another seed.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { waitFor } from '../helpers/host.ts'
import type { HubJob } from '../helpers/hub/jobs.ts'
import { type Hub, startHub } from '../helpers/hub.ts'
import { createRandom, type Random } from '../helpers/random.ts'
import { type StartedAgent, startFleetAgent } from '../helpers/started-agent.ts'

const SEED = Number(process.env['SEED'] ?? 1)
const KILLS = Number(process.env['KILLS'] ?? 8)

/** More than the agents get done between the kills. */
const JOBS = KILLS * 4

const LIMIT_MS = 120_000 + KILLS * 10_000

const test = suite('start: killed')

test(`killed ${KILLS} times (seed ${SEED}), an agent loses no job and runs none twice`, async () => {
  const random = createRandom(SEED)
  const hub = await startHub()
  const marks = await mkdtemp(join(tmpdir(), 'marks-'))
  const jobs = Array.from({ length: JOBS }, (_, index) => enqueue(hub, marks, index))
  let started = await startFleetAgent(hub, ['--agents', '2', '--name', 'killed-run'], {
    limitMs: LIMIT_MS,
  })
  try {
    for (let kill = 0; kill < KILLS; kill++) started = await killAndRestart(random, hub, started)
    await waitFor(() => hub.jobs.count('finished') === JOBS, 'all jobs are over', LIMIT_MS)
    const { code, stderr } = await started.stop()

    assert.is(code, 0, stderr)
    assert.equal(hub.violations, [])
    for (const job of jobs) await assertOnce(job, marks, started)
    assert.equal(hub.agents.all.length, 2, 'nobody had to register again')
  } finally {
    await started.remove()
    await hub.close()
    await rm(marks, { recursive: true })
  }
})

/** It leaves its marks in a file of its own, and output with every step. */
function enqueue(hub: Hub, marks: string, index: number): HubJob {
  const id = `killed-${index}`
  const commands = [
    `echo begin >>${marks}/${id}; echo begin`,
    'for i in {1..20}; do echo "line $i"; sleep 0.02; done',
    `echo end >>${marks}/${id}; echo end`,
  ]
  return hub.enqueue({ commands: commands.map((directive) => ({ directive })) }, id)
}

/** In the middle of whatever happens some time after a request. */
async function killAndRestart(
  random: Random,
  hub: Hub,
  started: StartedAgent,
): Promise<StartedAgent> {
  const requests = hub.requests.length + 1 + random(30)
  const isIdle = () => hub.jobs.count('finished') === JOBS
  await waitFor(() => hub.requests.length >= requests || isIdle(), 'some requests')
  await sleep(random(40)) // for moments in which nothing is asked
  started.agent.signal('SIGKILL')
  await started.agent.exited
  hub.forgetTimes()
  return await started.restart()
}

async function assertOnce(job: HubJob, marks: string, started: StartedAgent): Promise<void> {
  const ran = await readFile(join(marks, job.id), 'utf8').catch(() => '')
  const kept = await started.readJobLog(job.id)
  const log = job.log.text
  const account = () => `${job.id} ${job.result} ${job.reason}: ${JSON.stringify(ran)}\n${log}`
  assert.ok(job.log.bytes.equals(kept), account())
  assert.is(job.reason, undefined, account())
  if (job.result === 'passed') assert.is(ran, 'begin\nend\n', account())
  else {
    assert.is(job.result, 'failed', account())
    assert.ok('begin\nend\n'.startsWith(ran), account())
    assert.match(log, /killed/, account())
  }
  assert.match(log, `"job_finished"`)
}

test.run()
