/** What an agent that runs jobs on the host for months must not do: leave anything, grow, slow down. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startControlPlane } from '../helpers/control-plane.ts'
import { LONG_RUN_JOBS, LONG_RUN_LIMIT_MS } from '../helpers/long-run.ts'
import { followLog, type ServedAgent, serveAgent } from '../helpers/served-agent.ts'
import { assertSteady, lookAt } from '../helpers/steadiness.ts'

const test = suite('many jobs')

const JOBS = LONG_RUN_JOBS || 300

/** Until here the process loads code, fills its pools, and keeps more logs. */
const WARM_UP = 60
const KEPT_LOGS = '20'

/** What jobs do: pass, fail, take their shell along, ask the agent, leave something running. */
const DIRECTIVES: readonly string[] = [
  'echo hi',
  'cache usage; checksum /etc/hostname',
  'exit 3',
  'sleep 1000 & echo left',
  'false',
]

test(`${JOBS} jobs leave no process, file, descriptor, mapping or memory`, async () => {
  const plane = await startControlPlane(200)
  const served = await serveAgent(['--kept-logs', KEPT_LOGS, '--stop-grace-period', '1s'], {
    ...(LONG_RUN_JOBS > 0 && { limitMs: LONG_RUN_LIMIT_MS }),
  })
  try {
    await runJobs(served, plane.url, 0, WARM_UP)
    const before = await lookAt(served)

    const costs = await runJobs(served, plane.url, WARM_UP, JOBS)

    await assertSteady(served, before, JOBS)
    if (LONG_RUN_JOBS > 0) assertAsFast(costs)
  } finally {
    await served.stop()
    await plane.close()
  }
})

test.run()

interface Cost {
  /** Until its end could be read. */
  readonly ms: number
  /** Of the agent's own, on any processor, since its start. */
  readonly processorMs: number
}

async function runJobs(
  served: ServedAgent,
  url: string,
  from: number,
  to: number,
): Promise<Cost[]> {
  const costs: Cost[] = []
  for (let job = from; job < to; job++) {
    const started = performance.now()
    const id = `row-${job}`
    const body = JSON.stringify({
      job_id: id,
      env_vars: [{ name: 'A', value: '' }],
      files: [{ path: join(served.directory, 'file'), content: '', mode: '0600' }],
      commands: [{ directive: DIRECTIVES[job % DIRECTIVES.length] }],
      epilogue_always_commands: [{ directive: 'true' }],
      callbacks: { finished: url },
    })
    const { status, text } = await served.ask('POST', '/jobs', { body })
    assert.is(status, 200, text)
    assert.match(await followLog(served, id), '"event":"job_finished"')
    costs.push({ ms: performance.now() - started, processorMs: processorMsOf(served.agent.pid) })
  }
  return costs
}

/** The kernel counts hundredths of a second. @see man 5 proc_pid_stat */
function processorMsOf(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13)
  return (Number(user) + Number(system)) * 10
}

/**
 * The last tenth of the jobs beside the first, by what they take of a processor: how long they take
 * depends on what else the machine does.
 */
function assertAsFast(costs: readonly Cost[]): void {
  const tenth = Math.ceil(costs.length / 10)
  const [first, last] = [describe(costs.slice(0, tenth)), describe(costs.slice(-tenth))]
  const account = `A job: ${JSON.stringify(first)} became ${JSON.stringify(last)}`
  console.log(account)
  assert.ok(last.processorMs < first.processorMs * 1.5, account)
}

function describe(costs: readonly Cost[]): Cost {
  const [first, last] = [costs[0]?.processorMs ?? 0, costs.at(-1)?.processorMs ?? 0]
  return { ms: medianOf(costs.map(({ ms }) => ms)), processorMs: (last - first) / costs.length }
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
