/** Clients of HTTP/1.0, which health checks and old proxies still are. */

import { connect } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Listener, listen } from '../../../lib/http/listen.ts'
import { FINISHED, logOf } from '../job-log/log-lab.ts'
import { FIRST_CERTIFICATE } from './certificates.ts'
import { authorized, type ServerLab, serverLab } from './server-lab.ts'

interface Context {
  server: ServerLab
  listener: Listener
}

const test = suite<Context>('http: old clients')

const log = { debug() {}, info() {}, warn() {}, error() {} }

test.before(async (t) => {
  t.server = await serverLab()
  const tls = () => FIRST_CERTIFICATE
  t.listener = await listen(t.server.app, { host: '127.0.0.1', port: 0, tls, log })
})

test.after(async (t) => {
  await t.listener.close(0)
  for (const jobLog of t.server.logs.values()) await jobLog.close()
  await t.server.lab.remove()
})

/** @returns all that the server sends until it closes the connection */
async function send(port: number, request: string, protocols?: string[]): Promise<string> {
  const socket = connect({
    ...{ host: '127.0.0.1', port, rejectUnauthorized: false },
    ...(protocols !== undefined && { ALPNProtocols: protocols }),
  })
  socket.write(request)
  let text = ''
  for await (const part of socket) text += String(part)
  return text
}

for (const protocols of [['http/1.0'], ['http/1.0', 'http/1.1'], ['http/1.1'], undefined]) {
  test(`ALPN ${protocols ?? 'none'}: HTTP/1.0 without a host is answered`, async ({ listener }) => {
    const text = await send(listener.port, 'GET /is_alive HTTP/1.0\r\n\r\n', protocols)

    assert.match(text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nyes$/)
  })
}

test('a log of many pieces comes without chunks', async ({ listener, server }) => {
  const jobLog = await logOf(server.lab.path, 3)
  await jobLog.write(FINISHED)
  server.logs.set('a', jobLog)
  const { authorization } = await authorized()
  const head = `GET /jobs/a/log?follow=true HTTP/1.0\r\nAuthorization: ${authorization}\r\n\r\n`

  const text = await send(listener.port, head)

  assert.not.match(text, /transfer-encoding/i)
  assert.match(text, /\r\n\r\n\{"event":"cmd_output"[^\r]*"job_finished"[^\r]*\n$/)
})

test('a client that speaks HTTP/2 only is refused in the handshake', async ({ listener }) => {
  const failure = await send(listener.port, '', ['h2']).catch((error: Error) => error)

  assert.ok(failure instanceof Error)
  assert.match(failure.message, /no application protocol/i)
})

test.run()
