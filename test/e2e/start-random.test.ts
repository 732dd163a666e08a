/**
 * Five agents of one process, and a control plane that misbehaves at random: each job runs exactly
 * once, each log arrives byte for byte, and no rule of the server is broken.
 *
 * `AGENT_TEST_JOBS=5000 SEED=7 npm test -- start-random` for a longer run of another seed.
 */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { waitFor } from '../helpers/host.ts'
import type { Fault } from '../helpers/hub/faults.ts'
import type { HubJob } from '../helpers/hub/jobs.ts'
import type { RequestKind } from '../helpers/hub/record.ts'
import { type Hub, startHub } from '../helpers/hub.ts'
import { LONG_RUN_JOBS } from '../helpers/long-run.ts'
import { createRandom, type Random } from '../helpers/random.ts'
import { type StartedAgent, startFleetAgent } from '../helpers/started-agent.ts'

const SEED = Number(process.env['SEED'] ?? 1)
const JOBS = LONG_RUN_JOBS || 200
const AGENTS = 5

/** A second for each job is more than it ever takes. */
const LIMIT_MS = 60_000 + JOBS * 1_000

/** One request in so many goes wrong. After a failed sync an agent waits for 3 to 6 s: not too often. */
const RARITY: Readonly<Partial<Record<RequestKind, number>>> = {
  ...{ sync: 150, job: 10, log: 8, refresh: 4, register: 2, disconnect: 2 },
}

const BROKEN: readonly Fault[] = [
  ...(['lost', 'lost', 'reset', 'cut'] as const),
  ...[{ status: 500 }, { status: 503, body: '<html>' }, { status: 429 }, { delayMs: 100 }],
]

const GARBAGE: readonly Fault[] = [
  ...['', 'no JSON', '[]', 'null', '{"action":7}', '{"job_id":null}', `"${'x'.repeat(1e6)}"`].map(
    (body) => ({ body }),
  ),
]

/**
 * An agent whose registration is lost has to wait until the server has forgotten it: a minute. Of
 * the answers to a pushed batch and to a disconnect only the status counts: garbage would, too.
 */
const FAULTS: Readonly<Partial<Record<RequestKind, readonly Fault[]>>> = {
  register: BROKEN.filter((fault) => fault !== 'lost'),
  log: BROKEN,
  disconnect: BROKEN,
}

interface Planned {
  readonly job: HubJob
  readonly result: 'failed' | 'passed' | 'stopped'
}

const test = suite('start: random')

test(`${JOBS} jobs by ${AGENTS} agents, and a control plane that misbehaves (seed ${SEED})`, async () => {
  const random = createRandom(SEED)
  const hub = await startHub({ sanitizeAfterMs: 60_000, nextSyncAfter: 200 })
  const marks = await mkdtemp(join(tmpdir(), 'marks-'))
  hub.faults.always = ({ kind }) => mishap(random, hub, kind)
  const planned = Array.from({ length: JOBS }, () => plan(random, hub, marks))
  const flags = ['--agents', String(AGENTS), '--name', 'random-run', '--kept-logs', `${JOBS}`]
  const started = await startFleetAgent(hub, flags, { limitMs: LIMIT_MS })
  try {
    const stopping = stopWhenRunning(planned, hub)
    await waitFor(() => hub.jobs.count('finished') === JOBS, 'all jobs are over', LIMIT_MS)
    await stopping
    const { code, stderr } = await started.stop()

    assert.is(code, 0, stderr)
    assert.equal(hub.violations, [])
    await assertRunOnce(planned, marks)
    for (const { job } of planned) await assertLogArrived(job, started)
    await assertNothingLeft(hub, started)
  } finally {
    await started.remove()
    await hub.close()
    await rm(marks, { recursive: true })
  }
})

function mishap(random: Random, hub: Hub, kind: RequestKind): Fault | undefined {
  if (random(200) === 0) hub.logs.expireTokens()
  const rarity = RARITY[kind]
  if (rarity === undefined || random(rarity) > 0) return undefined
  const faults = FAULTS[kind] ?? [...BROKEN, ...GARBAGE]
  return faults[random(faults.length)]
}

/** Each leaves a line in a file of its own, whenever it runs. */
function plan(random: Random, hub: Hub, marks: string): Planned {
  const id = `random-${hub.jobs.byId.size}`
  const mark = `echo ran >>${marks}/${id}`
  const kinds = [
    [['true'], 'passed'],
    [['echo Ü one line', 'echo another'], 'passed'],
    [[`seq ${random(20_000)}`], 'passed'],
    [[`head -c ${random(300_000)} /dev/zero | tr '\\0' x`], 'passed'],
    [['for i in 1 2 3 4; do echo $i; sleep 0.1; done'], 'passed'],
    [['echo before', 'exit 3'], 'failed'],
    [['echo before', 'false', 'echo never'], 'failed'],
    [['echo to be stopped', 'sleep 1000'], 'stopped'],
  ] as const
  const [directives, result] = kinds[random(kinds.length)] ?? kinds[0]
  const commands = [mark, ...directives].map((directive) => ({ directive }))
  return { job: hub.enqueue({ commands }, id), result }
}

/** Those that go on for ever, each when it runs. */
async function stopWhenRunning(planned: readonly Planned[], hub: Hub): Promise<void> {
  const endless = planned.filter(({ result }) => result === 'stopped').map(({ job }) => job)
  await waitFor(
    () => {
      for (const job of endless) {
        const isRunning = job.state === 'assigned' && !job.isStopRequested
        if (isRunning) job.isStopRequested = job.log.text.includes('"directive":"sleep 1000"')
      }
      return endless.every((job) => job.isStopRequested || job.state === 'finished')
    },
    `those of ${hub.url} that do not end are stopped`,
    LIMIT_MS,
  )
}

async function assertRunOnce(planned: readonly Planned[], marks: string): Promise<void> {
  const wrong = await Promise.all(
    planned.map(async ({ job: { id, result, reason, log }, result: expected }) => {
      const ran = await readFile(join(marks, id), 'utf8').catch(() => 'never')
      const isRight = result === expected && reason === undefined && ran === 'ran\n'
      return isRight ? [] : [{ id, expected, result, reason, ran, log: log.text.slice(-1_000) }]
    }),
  )
  assert.equal(wrong.flat(), [])
}

async function assertLogArrived(job: HubJob, started: StartedAgent): Promise<void> {
  const kept = await started.readJobLog(job.id)
  assert.ok(job.log.bytes.equals(kept), `the log of ${job.id}: ${job.log.lineCount} lines`)
  assert.match(job.log.text, `"event":"job_finished"`)
}

async function assertNothingLeft(hub: Hub, { directory }: StartedAgent): Promise<void> {
  assert.equal([...hub.agents.byName.keys()], [])
  assert.ok(hub.agents.all.every(({ isDisconnected, job }) => isDisconnected && job === undefined))
  const kept = await readdir(join(directory, 'state', 'agents'))
  const files = await Promise.all(
    kept.map((name) => readFile(join(directory, 'state', 'agents', name), 'utf8')),
  )
  assert.not.match(files.join(''), /random-\d/)
}

test.run()
