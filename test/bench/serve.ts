/**
 * The figures of `agent serve`: its start, the way of a job's first line, polls of long logs, and
 * how it answers while hundreds read.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ServedAgent, serveAgent, shellJob, whenFree } from '../helpers/served-agent.ts'
import { figure, median, quantile, report } from './report.ts'

/** Clients keep their connection, as control planes do. */
const keepAlive = new Agent({ keepAlive: true, rejectUnauthorized: false })

const READERS = 200
const POLLS = 200
const JOBS = 15
const STARTS = 10

let count = 0

export async function benchServe(): Promise<void> {
  await benchStart()
  const served = await serveAgent(['--kept-logs-size', '4g'])
  try {
    await figure('first output line after POST, shell job', 40, 'ms', () => firstLine(served), JOBS)
    await figure('no-op shell job, POST to job_finished', 30, 'ms', () => noop(served), JOBS)
    await benchReaders(served)
  } finally {
    await served.stop()
  }
  await benchPolls()
  keepAlive.destroy()
}

/** From the start of the process to its first answer over HTTPS. */
async function benchStart(): Promise<void> {
  const [own, other]: [number[], number[]] = [[], []]
  const directory = await mkdtemp(join(tmpdir(), 'bench-'))
  for (let run = 0; run <= STARTS; run++) {
    let started = performance.now()
    const child = spawn(process.execPath, ['-e', '0'])
    await once(child, 'exit')
    if (run > 0) other.push(performance.now() - started)
    started = performance.now()
    const served = await serveAgent([], { directory }) // asks every 10 ms
    if (run > 0) own.push(performance.now() - started)
    served.agent.signal('SIGTERM')
    await served.agent.exited
  }
  await rm(directory, { recursive: true })
  const [serve, node] = [median(own), median(other)]
  const figures = `${serve.toFixed(0)} ms : ${node.toFixed(0)} ms`
  report('agent serve, start to first answer / node -e 0', figures, serve / node, 1.5)
}

async function submit(served: ServedAgent, directive: string): Promise<string> {
  const id = `bench-${++count}`
  const body = shellJob(id, directive)
  const { status } = await served.ask('POST', '/jobs', { body, agent: keepAlive })
  if (status !== 200) throw new Error(`The agent answered ${status}`)
  return id
}

async function firstLine(served: ServedAgent): Promise<number> {
  await whenFree(served)
  const started = performance.now()
  const id = await submit(served, 'echo here it is')
  const log = await served.open('GET', `/jobs/${id}/log?follow=true`, { agent: keepAlive })
  let text = ''
  let elapsed = 0
  for await (const part of log.setEncoding('utf8')) {
    text += String(part)
    if (elapsed === 0 && text.includes('here it is\\n')) elapsed = performance.now() - started
  }
  return elapsed
}

async function noop(served: ServedAgent): Promise<number> {
  await whenFree(served)
  const started = performance.now()
  const id = await submit(served, 'true')
  await served.ask('GET', `/jobs/${id}/log?follow=true`, { agent: keepAlive })
  return performance.now() - started
}

async function pollTimes(served: ServedAgent, path: string, times: number): Promise<number[]> {
  const elapsed: number[] = []
  for (let poll = 0; poll < times; poll++) {
    const started = performance.now()
    await served.ask('GET', path, { agent: keepAlive })
    elapsed.push(performance.now() - started)
  }
  return elapsed
}

/** 200 clients follow a running job while one asks for the status. */
async function benchReaders(served: ServedAgent): Promise<void> {
  await whenFree(served)
  const idle = median(await pollTimes(served, '/status', POLLS))
  const id = await submit(served, 'for i in $(seq 1000); do echo "tick $i"; sleep 0.01; done')
  const path = `/jobs/${id}/log?follow=true`
  const readers = await Promise.all(Array.from({ length: READERS }, () => served.open('GET', path)))
  for (const reader of readers) reader.resume()
  const busy = quantile(await pollTimes(served, '/status', POLLS), 0.99)
  const figures = `${busy.toFixed(1)} ms : ${idle.toFixed(1)} ms`
  report('p99 of /status with 200 readers / its idle median', figures, busy / idle, 50)
  await served.ask('POST', '/stop')
  await Promise.all(readers.map((reader) => once(reader, 'close')))
}

/** A poll of the last lines, of a log of a thousand lines and of one of a million. */
async function benchPolls(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'))
  const lines = { short: 1_000, long: 1_000_000 }
  for (const [id, length] of Object.entries(lines)) await writeLog(directory, id, length)
  const served = await serveAgent([], { directory })
  try {
    const times = { short: [] as number[], long: [] as number[] }
    for (let round = 0; round <= 10; round++) {
      for (const id of ['short', 'long'] as const) {
        const path = `/jobs/${id}/log?start_from=${lines[id] - 1}`
        const elapsed = await pollTimes(served, path, POLLS / 10)
        if (round > 0) times[id].push(...elapsed) // the first builds the index
      }
    }
    const [short, long] = [median(times.short), median(times.long)]
    const figures = `${long.toFixed(2)} ms : ${short.toFixed(2)} ms`
    report('poll at the tail, 1,000,000 lines / 1,000 lines', figures, long / short, 1.5)
  } finally {
    await served.stop()
  }
}

/** As an earlier process of this agent would have kept it. */
async function writeLog(directory: string, id: string, length: number): Promise<void> {
  const logs = join(directory, 'state', 'logs')
  await mkdir(logs, { recursive: true })
  const key = createHash('sha256').update(id).digest('hex').slice(0, 32)
  const file = createWriteStream(join(logs, `1700000000000-${key}.log`))
  for (let line = 1; line < length; line++) {
    const event = { event: 'cmd_output', timestamp: 1_700_000_000, output: `line ${line}\n` }
    if (!file.write(`${JSON.stringify(event)}\n`)) await once(file, 'drain')
  }
  file.end('{"event":"job_finished","timestamp":1700000000,"result":"passed"}\n')
  await once(file, 'close')
}
