/** The StatsD daemon from npm, and a socket that shows what arrives as it is. */

import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { runInNewContext } from 'node:vm'
import { freePort } from './free-port.ts'
import { waitFor } from './host.ts'

/** The daemon is older than this Node, which has no `util.log` any more. */
const SHIM = 'data:text/javascript,import util from "node:util"; util.log = () => undefined'

const DAEMON = resolve('node_modules/statsd/stats.js')

type Counters = Readonly<Record<string, number>>
type Timers = Readonly<Record<string, readonly number[]>>

export interface StatsdDaemon {
  readonly port: number
  /** By name, tags included, as the daemon keeps them: `name;image=…`. */
  counters(): Promise<Counters>
  timers(): Promise<Timers>
  close(): Promise<void>
}

export async function startStatsd(): Promise<StatsdDaemon> {
  const directory = await mkdtemp(join(tmpdir(), 'statsd-'))
  const [port, managementPort] = [await freePort(), await freePort()]
  const config = {
    ...{ address: '127.0.0.1', port, mgmt_address: '127.0.0.1', mgmt_port: managementPort },
    // It forgets what it has flushed.
    ...{ backends: [], title: false, flushInterval: 3_600_000 },
  }
  const file = join(directory, 'config.js')
  await writeFile(file, JSON.stringify(config))
  const child = spawn(process.execPath, ['--import', SHIM, DAEMON, file], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  const daemon: StatsdDaemon = {
    port,
    counters: async () => (await askDaemon(managementPort, 'counters')) as Counters,
    timers: async () => (await askDaemon(managementPort, 'timers')) as Timers,
    async close() {
      child.kill('SIGKILL')
      await exited
      await rm(directory, { recursive: true, force: true })
    },
  }
  try {
    const answers = async () => (await daemon.counters().catch(() => undefined)) !== undefined
    await waitFor(answers, 'the StatsD daemon answers')
  } catch (error) {
    await daemon.close()
    throw error
  }
  return daemon
}

/** Its management port answers with what `util.inspect` makes of an object, and then END. */
async function askDaemon(port: number, what: 'counters' | 'timers'): Promise<unknown> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`${what}\n`)
  let text = ''
  for await (const chunk of socket) {
    text += chunk
    if (text.endsWith('END\n\n')) break
  }
  return runInNewContext(`(${text.replace(/END\s*$/, '')})`)
}

export interface MetricSocket {
  readonly port: number
  /** Datagrams, in the order of their arrival. */
  readonly received: readonly string[]
  close(): Promise<void>
}

export async function openMetricSocket(): Promise<MetricSocket> {
  const received: string[] = []
  const socket = createSocket('udp4', (datagram) => void received.push(datagram.toString()))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    port: socket.address().port,
    received,
    async close() {
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}
