/** Silent connections without a token, from a client that opens them again and again. */

import { connect, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { waitFor } from '../helpers/host.ts'
import {
  followLog,
  outputIn,
  type ServedAgent,
  serveAgent,
  shellJob,
} from '../helpers/served-agent.ts'

const test = suite('serve: strangers')

/** Holds that many at a time; one that the agent closes is opened again. */
function flood(port: number, count: number): { closed: () => number; stop: () => void } {
  const sockets = new Set<Socket>()
  let closed = 0
  let isOver = false
  const open = () => {
    const socket = connect({ host: '127.0.0.1', port })
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => {
      sockets.delete(socket)
      closed++
      if (!isOver) setTimeout(open, 100)
    })
  }
  for (let i = 0; i < count; i++) open()
  return {
    closed: () => closed,
    stop: () => {
      isOver = true
      for (const socket of sockets) socket.destroy()
    },
  }
}

async function assertServes(served: ServedAgent, id: string): Promise<void> {
  const body = shellJob(id, 'for i in $(seq 20); do echo $i | cat; done', 'echo end')
  assert.is((await served.ask('POST', '/jobs', { body })).text, '{"message": "ok"}')
  const log = await followLog(served, id)
  assert.match(outputIn(log), '20\nend\n')
  assert.match(log, '"result":"passed"')
  assert.is((await served.ask('GET', '/status')).status, 200)
}

test('2,000 of them keep nobody out and end no job, where 1,024 descriptors are all there are', async () => {
  const served = await serveAgent([], { prefix: ['/usr/bin/prlimit', '--nofile=1024:1024'] })
  const strangers = flood(served.port, 2_000)
  try {
    await waitFor(() => strangers.closed() > 1_000, 'the first are turned away')

    for (const id of ['a', 'b', 'c']) await assertServes(served, id)

    const { text } = await served.ask('GET', '/agent_logs')
    const reports = text.split('\n').filter((line) => line.includes('Too many connections'))
    assert.match(reports[0] ?? '', /\(limits: 512, without a token 256 from one address\)/)
    assert.ok(reports.length < 10, `told ${reports.length} times`)
    assert.not.match(text, 'EMFILE')
  } finally {
    strangers.stop()
    await served.stop()
  }
})

test.run()
