/**
 * Agents that call their control plane: how fast a log is pushed, how soon its first line is there,
 * and what three hundred of them cost while they have nothing to do.
 *
 * @module
 */

import { readFileSync } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { JobLog } from '../../lib/events/job-log.ts'
import { createLogger } from '../../lib/log.ts'
import { createLogPusher } from '../../lib/log-push/create-log-pusher.ts'
import { createOutboundClient } from '../../lib/outbound.ts'
import { waitFor } from '../helpers/host.ts'
import { type Hub, startHub } from '../helpers/hub.ts'
import { type StartedAgent, startFleetAgent } from '../helpers/started-agent.ts'
import { figure, median, RUNS, report } from './report.ts'

const LIMIT_MS = 600_000
const PIECE_BYTES = 1_000_000

/** 100 MB, in events as long as those of a flood. */
const EVENTS = 1_600
const EVENT_BYTES = 62_000

const PROCESSES = 6
const AGENTS_EACH = 50

/** As a control plane asks for them. */
const NEXT_SYNC_MS = 5_000
const IDLE_MS = 60_000

export async function benchFleet(): Promise<void> {
  await benchPush()
  await benchJobs()
  await benchIdle()
}

/** Both to the same server, in this process. */
async function benchPush(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'))
  const hub = await startHub({ logs: { logBytes: 1e12, batchLines: 1e9 } })
  try {
    const log = await writeLog(join(directory, 'job.log'))
    const [own, other]: [number[], number[]] = [[], []]
    for (let run = 0; run <= RUNS; run++) {
      const pair = [await pushed(hub, log), await posted(hub, log)] as const
      if (run === 0) continue // warms up
      own.push(pair[0])
      other.push(pair[1])
    }
    const [push, post] = [median(own), median(other)]
    const figures = `${push.toFixed(0)} ms : ${post.toFixed(0)} ms`
    report('100 MB of log pushed / the same bytes posted', figures, push / post, 1.5)
    const rate = log.size / 1_000 / push
    report('one MB of log pushed', `${rate.toFixed(0)} MB/s`, 1_000 / rate, 200)
  } finally {
    await hub.close()
    await rm(directory, { recursive: true })
  }
}

async function writeLog(path: string): Promise<JobLog> {
  const log = await JobLog.create(path)
  for (let event = 0; event < EVENTS; event++) {
    await log.write({ event: 'cmd_output', timestamp: 1, output: 'x'.repeat(EVENT_BYTES) })
  }
  await log.write({ event: 'job_finished', timestamp: 1, result: 'passed' })
  return log
}

async function pushed(hub: Hub, jobLog: JobLog): Promise<number> {
  const job = hub.enqueueCommands('true')
  const client = createOutboundClient()
  const { signal } = new AbortController()
  const started = performance.now()
  const pusher = createLogPusher({
    ...{ jobLog, url: hub.logUrl(job), token: hub.logs.createToken(job), client, signal },
    refreshToken: async () => hub.logs.createToken(job),
    startFrom: 0,
    onPosition: () => undefined,
    log: createLogger({ write: (text) => process.stderr.write(text) }),
  })
  const { delivered, lines } = await pusher.finish({ timeoutMs: LIMIT_MS, signal })
  if (delivered < lines) throw new Error(`${delivered} of ${lines} lines were pushed`)
  const elapsed = performance.now() - started
  await client.close()
  return elapsed
}

/** Piece by piece of the file over one connection, by Node's own client. */
async function posted(hub: Hub, { path, size }: JobLog): Promise<number> {
  const job = hub.enqueueCommands('true')
  const headers = {
    authorization: `Bearer ${hub.logs.createToken(job)}`,
    'content-type': 'text/plain',
  }
  const agent = new Agent({ keepAlive: true })
  const started = performance.now()
  const file = await open(path)
  for (let position = 0; position < size; position += PIECE_BYTES) {
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.allocUnsafe(PIECE_BYTES),
      position,
    })
    await new Promise((resolve, reject) => {
      const url = `${hub.logUrl(job)}?start_from=${job.log.lineCount}`
      const sending = request(url, { method: 'POST', headers, agent }, (answer) => {
        answer.resume().once('end', resolve)
      })
      sending.once('error', reject)
      sending.end(buffer.subarray(0, bytesRead))
    })
  }
  const elapsed = performance.now() - started
  await file.close()
  agent.destroy()
  return elapsed
}

async function benchJobs(): Promise<void> {
  const hub = await startHub({ logs: { logBytes: 1e12 } })
  const started = await startFleetAgent(hub, [], { limitMs: LIMIT_MS })
  try {
    await figure('first line of a job at the server, from its writing', 300, 'ms', () =>
      firstLine(hub),
    )
    await figure(
      'no-op shell job, queued to reported (next_sync_after 50 ms)',
      250,
      'ms',
      async () => {
        const since = performance.now()
        await runJob(hub, 'true')
        return performance.now() - since
      },
    )
    const peaks: number[] = []
    for (const bytes of [1e7, 1e9]) {
      await runJob(hub, `yes ${'x'.repeat(100)} | head -c ${bytes}`)
      peaks.push(megabytesOf(started, 'VmHWM'))
    }
    const growth = (peaks[1] ?? 0) - (peaks[0] ?? 0)
    const name = 'peak memory, 1 GB of pushed output over 10 MB of it'
    report(name, `${growth.toFixed(1)} MB more`, growth, 20)
  } finally {
    await started.stop()
    await started.remove()
    await hub.close()
  }
}

async function runJob(hub: Hub, directive: string): Promise<void> {
  const job = hub.enqueueCommands(directive)
  await waitFor(() => job.state === 'finished', `the job is over: ${directive}`, LIMIT_MS)
  if (job.result !== 'passed') throw new Error(`${directive}: ${job.result}`)
}

/** The job prints the time in ms, while the agent has been silent for a while. */
async function firstLine(hub: Hub): Promise<number> {
  const job = hub.enqueueCommands('sleep 4; date +%s%3N; sleep 1')
  const printed = () => /\d{13}(?=\n)/.exec(outputOf(job.log.text))?.[0]
  await waitFor(() => printed() !== undefined, 'the line is there')
  const elapsed = Date.now() - Number(printed())
  await waitFor(() => job.state === 'finished', 'the job is over')
  return elapsed
}

/** Joined: a terminal may hand over a line in two pieces. */
function outputOf(log: string): string {
  const lines = log.split('\n').filter((line) => line !== '')
  return lines.map((line) => (JSON.parse(line) as { output?: string }).output ?? '').join('')
}

async function benchIdle(): Promise<void> {
  const hub = await startHub({ nextSyncAfter: NEXT_SYNC_MS })
  const started: StartedAgent[] = []
  try {
    for (let index = 0; index < PROCESSES; index++) {
      const flags = ['--agents', String(AGENTS_EACH), '--name', `idle-process-${index}`]
      started.push(await startFleetAgent(hub, flags, { limitMs: LIMIT_MS }))
    }
    const agents = PROCESSES * AGENTS_EACH
    const synced = () => hub.agents.all.filter(({ syncs }) => syncs > 0).length
    await waitFor(() => synced() === agents, `${agents} agents sync`, LIMIT_MS)
    const before = started.map(cpuMs)
    await sleep(IDLE_MS)
    const used = started.map((it, index) => cpuMs(it) - (before[index] ?? 0))
    const perAgent = used.reduce((sum, ms) => sum + ms, 0) / agents
    report(
      `CPU of an idle agent in a minute (of ${agents})`,
      `${perAgent.toFixed(0)} ms`,
      perAgent,
      100,
    )
    const memory = median(started.map((it) => megabytesOf(it, 'VmRSS')))
    report(`memory of ${AGENTS_EACH} idle agents`, `${memory.toFixed(0)} MB`, memory, 150)
    if (hub.violations.length > 0) throw new Error(hub.violations.slice(0, 5).join('\n'))
  } finally {
    for (const it of started) it.agent.signal('SIGTERM')
    for (const it of started) await it.remove()
    await hub.close()
  }
}

function megabytesOf({ agent }: StartedAgent, what: 'VmHWM' | 'VmRSS'): number {
  const status = readFileSync(`/proc/${agent.pid}/status`, 'utf8')
  return Number(new RegExp(`${what}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024
}

/** In user and kernel mode; a tick is 10 ms. */
function cpuMs({ agent }: StartedAgent): number {
  const fields = readFileSync(`/proc/${agent.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}
