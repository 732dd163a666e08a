import { readFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError } from '../../../lib/errors.ts'
import { type Listener, type ListenOptions, listen } from '../../../lib/http/listen.ts'
import { FINISHED, logOf, output } from '../job-log/log-lab.ts'
import { FIRST_CERTIFICATE, SECOND_CERTIFICATE } from './certificates.ts'
import { ask, authorized, openAnswer, type ServerLab, serverLab, until } from './server-lab.ts'

interface Context {
  server: ServerLab
  listeners: Listener[]
  start(options?: Partial<ListenOptions>): Promise<Listener>
}

const test = suite<Context>('http: listen')

const log = { debug() {}, info() {}, warn() {}, error() {} }

test.before.each(async (t) => {
  t.server = await serverLab()
  t.listeners = []
  t.start = async (options) => {
    const tls = () => FIRST_CERTIFICATE
    const listener = await listen(t.server.app, {
      host: '127.0.0.1',
      port: 0,
      tls,
      log,
      ...options,
    })
    t.listeners.push(listener)
    return listener
  }
})

test.after.each(async (t) => {
  await Promise.all(t.listeners.map((listener) => listener.close(0)))
  for (const jobLog of t.server.logs.values()) await jobLog.close()
  await t.server.lab.remove()
})

async function rejection(promise: Promise<unknown>): Promise<Error> {
  return (await promise.then(
    () => assert.unreachable('expected a rejection'),
    (reason: unknown) => reason,
  )) as Error
}

/** A bare connection: what it received so far, and whether the server closed it. */
interface Wire {
  readonly socket: TLSSocket
  readonly received: () => string
  readonly closed: Promise<void>
}

async function wire(port: number, options: ConnectionOptions = {}): Promise<Wire> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  const parts: Buffer[] = []
  socket.on('data', (part: Buffer) => parts.push(part))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
  })
  socket.on('error', () => socket.destroy())
  return { socket, closed, received: () => Buffer.concat(parts).toString() }
}

/** Whether the server still holds its end of a connection: a client that reads nothing cannot tell. */
function isEstablished(port: number, clientPort: number): boolean {
  const [own, client] = [port, clientPort].map((it) =>
    it.toString(16).toUpperCase().padStart(4, '0'),
  )
  const line = new RegExp(`^ *\\d+: \\w+:${own} \\w+:${client} 01 `, 'm')
  return line.test(readFileSync('/proc/net/tcp', 'utf8'))
}

test('TLS 1.2 and 1.3 are spoken, 1.1 is not', async ({ start }) => {
  const { port } = await start()
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { socket } = await wire(port, { minVersion: version, maxVersion: version })
    assert.is(socket.getProtocol(), version)
    socket.destroy()
  }

  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' } as const
  const error = (await rejection(wire(port, old))) as NodeJS.ErrnoException
  assert.match(error.code ?? '', /ALERT_PROTOCOL_VERSION|ECONNRESET|UNSUPPORTED/)
})

test('a renewed certificate is used from the next connection on; a broken one changes nothing', async ({
  start,
}) => {
  let current = FIRST_CERTIFICATE
  const listener = await start({ tls: () => current })
  const subject = async () => {
    const { socket } = await wire(listener.port)
    const { CN } = socket.getPeerCertificate().subject
    socket.destroy()
    return CN
  }
  assert.is(await subject(), 'agent-test-1')

  current = SECOND_CERTIFICATE
  listener.reloadTls()
  assert.is(await subject(), 'agent-test-2')

  for (const bad of [
    { ...FIRST_CERTIFICATE, cert: 'x' },
    { ...FIRST_CERTIFICATE, ...mismatch },
  ]) {
    current = bad
    assert.throws(
      () => listener.reloadTls(),
      (error: unknown) => error instanceof ConfigError && /cannot be used/.test(error.message),
    )
  }
  assert.is(await subject(), 'agent-test-2')
})

const mismatch = { key: SECOND_CERTIFICATE.key }

test('a certificate that cannot be used, or an address that is taken, is a ConfigError', async ({
  start,
}) => {
  const bad = await rejection(start({ tls: () => ({ cert: '', key: 'x' }) }))
  assert.instance(bad, ConfigError)
  const { port } = await start()

  const taken = await rejection(start({ port }))

  assert.instance(taken, ConfigError)
  assert.is(taken.message, `The agent cannot listen on 127.0.0.1:${port}: the port is in use`)
  const nowhere = await rejection(start({ host: '203.0.113.77' }))
  assert.match(nowhere.message, 'this host does not have that address')
})

test('a megabyte of headers is 431 and no more, for the next client all is well', async ({
  start,
}) => {
  const { port } = await start()
  const { socket, received, closed } = await wire(port)
  socket.write(`GET /status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${'a'.repeat(1_000_000)}`)

  await closed

  assert.match(
    received(),
    /^HTTP\/1\.1 431 [\s\S]*\r\n\r\n\{"message": "The headers are too large"\}$/,
  )
  assert.is((await ask(port, '/is_alive')).text, 'yes')
})

test('what is not HTTP, or not TLS, is told so or dropped', async ({ start }) => {
  const { port } = await start()
  const { socket, received, closed } = await wire(port)
  socket.write('EHLO mail\r\n\r\n')
  await closed
  assert.match(received(), /^HTTP\/1\.1 400 [\s\S]*\{"message": "This is not HTTP\/1\.1"\}$/)

  const plain = connectTcp({ host: '127.0.0.1', port })
  plain.on('error', () => undefined)
  plain.resume()
  plain.write('GET /is_alive HTTP/1.1\r\nHost: x\r\n\r\n')
  await new Promise((resolve) => plain.once('close', resolve))

  assert.is((await ask(port, '/is_alive')).status, 200)
})

test('a target or host that is none is 400 as JSON', async ({ start }) => {
  const { port } = await start()
  for (const head of ['GET /a\\b HTTP/1.1\r\nHost: x', 'GET /status HTTP/1.1\r\nHost: a b/c']) {
    const { socket, received, closed } = await wire(port)
    socket.write(`${head}\r\nConnection: close\r\n\r\n`)
    await closed
    assert.match(received(), /^HTTP\/1\.1 400 [\s\S]*\{"message": "Bad request: /)
  }
})

test('headers that trickle in are cut off in time, others are served meanwhile', async ({
  start,
}) => {
  const { port } = await start({ timeouts: { headersMs: 300 } })
  const { socket, received, closed } = await wire(port)
  socket.write('GET /status HTTP/1.1\r\n')
  const trickle = setInterval(() => socket.write('X-A: b\r\n'), 20)

  assert.is((await ask(port, '/is_alive')).status, 200)
  await closed
  clearInterval(trickle)

  assert.match(
    received(),
    /^HTTP\/1\.1 408 [\s\S]*\{"message": "The request took too long to arrive"\}/,
  )
})

test('a body that trickles in is cut off in time, others are served meanwhile', async ({
  start,
  server,
}) => {
  const { port } = await start({ timeouts: { headersMs: 300, requestMs: 600 } })
  const { socket, closed } = await wire(port)
  const { authorization } = await authorized()
  const head = `POST /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}`
  socket.write(`${head}\r\nContent-Length: 4000\r\n\r\n{`)
  const trickle = setInterval(() => socket.write(' '), 20)

  const other = await ask(port, '/jobs', { method: 'POST', headers: await authorized() }, '{}')
  assert.is(other.status, 200)
  await closed
  clearInterval(trickle)

  assert.equal(server.submitted, [{}])
})

test('a body over the limit gets its 413 while the client still sends', async ({ start }) => {
  const { port } = await start()
  const headers = await authorized()

  const answer = await ask(port, '/jobs', { method: 'POST', headers }, 'x'.repeat(1_000_000))

  assert.is(answer.status, 413)
})

test('a body without end, where none belongs, ends with the answer', async ({ start }) => {
  const { port } = await start()
  const { socket, received, closed } = await wire(port)
  socket.write('GET /is_alive HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
  const flood = setInterval(() => socket.write('1\r\na\r\n'.repeat(1_000)), 5)

  await closed
  clearInterval(flood)

  assert.match(received(), /^HTTP\/1\.1 200 [\s\S]*yes$/)
})

test('who asks without waiting for answers is cut off, others are served', async ({ start }) => {
  const { port } = await start()
  const headers = await authorized()
  const { socket, closed } = await wire(port)
  const request = `GET /status HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers['authorization']}\r\n\r\n`
  const flood = setInterval(() => socket.write(request.repeat(1_000)), 5)

  await closed
  clearInterval(flood)

  assert.is((await ask(port, '/status', { headers })).status, 200)
})

test('a connection is used for many requests', async ({ start }) => {
  const { port } = await start()
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
  const headers = await authorized()
  const ports = new Set<number | undefined>()
  for (const path of ['/status', '/nope', '/jobs/x/log', '/stop', '/is_alive']) {
    const method = path === '/stop' ? 'POST' : 'GET'
    const response = await openAnswer(port, path, { agent, headers, method })
    ports.add(response.socket.localPort)
    response.resume()
    await new Promise((resolve) => response.once('close', resolve))
  }

  assert.is(ports.size, 1)
  agent.destroy()
})

test('a kept connection that is not used is closed in time', async ({ start }) => {
  const { port } = await start({ timeouts: { keepAliveMs: 50 } })
  const { socket, received, closed } = await wire(port)
  socket.write('GET /is_alive HTTP/1.1\r\nHost: x\r\n\r\n')

  await closed

  assert.match(received(), /^HTTP\/1\.1 200 [\s\S]*yes$/)
})

test('only an archivator that got all of a finished log has collected it', async ({
  start,
  server,
}) => {
  const { port } = await start()
  const headers = { ...(await authorized()), 'x-client-name': 'archivator' }
  const jobLog = await logOf(server.lab.path, 10)
  server.logs.set('a', jobLog)
  server.currentId = 'a'

  await ask(port, '/jobs/a/log', { headers })
  const follower = ask(port, '/jobs/a/log?follow=true', { headers })
  await jobLog.write(FINISHED)
  await follower
  await until(() => server.collected.length > 0)
  assert.equal(server.collected, ['a'], 'the follower, not the poll before the end')

  await ask(port, '/jobs/a/log', { headers: await authorized() })
  await ask(port, '/jobs/a/log?start_from=11', { headers })
  await ask(port, '/jobs/a/log', { headers, method: 'HEAD' })
  assert.is(server.collected.length, 1)
  for (const path of ['/job_logs', '/jobs/a/log?start_from=10']) await ask(port, path, { headers })
  const gzip = { ...headers, 'accept-encoding': 'gzip', accept: 'text/event-stream' }
  await ask(port, '/jobs/a/log', { headers: gzip })
  await until(() => server.collected.length >= 4)
  assert.is(server.collected.length, 4)
})

test('an archivator that goes away in the middle has collected nothing', async ({
  start,
  server,
}) => {
  const { port } = await start()
  const headers = { ...(await authorized()), 'x-client-name': 'archivator' }
  const jobLog = await logOf(server.lab.path, 0)
  for (let i = 0; i < 200; i++) await jobLog.write(output('x'.repeat(100_000)))
  await jobLog.write(FINISHED)
  server.logs.set('a', jobLog)
  const sockets: { destroyed: boolean }[] = []
  for (const path of ['/jobs/a/log', '/jobs/a/log?follow=true']) {
    const response = await openAnswer(port, path, { headers })
    response.once('data', () => response.destroy())
    sockets.push(response.socket)
  }
  await until(() => sockets.every(({ destroyed }) => destroyed))

  await ask(port, '/jobs/a/log', { headers })

  await until(() => server.collected.length > 0)
  assert.equal(server.collected, ['a'])
})

test('a log that fails in the middle of an answer breaks the connection', async ({
  start,
  server,
}) => {
  const { port } = await start()
  const jobLog = await logOf(server.lab.path, 0)
  for (let i = 0; i < 100; i++) await jobLog.write(output('x'.repeat(100_000)))
  server.logs.set('a', jobLog)
  const response = await openAnswer(port, '/jobs/a/log', { headers: await authorized() })
  const { truncate } = await import('node:fs/promises')
  await truncate(server.lab.path, 5_000_000)

  const error = await rejection(
    (async () => {
      for await (const part of response) assert.ok(part)
    })(),
  )

  assert.is((error as NodeJS.ErrnoException).code, 'ECONNRESET')
  assert.match(server.entries.join('\n'), 'A response was cut off: ')
})

test('close ends idle connections, lets answers end, and cuts off what stays', async ({
  start,
  server,
}) => {
  const listener = await start()
  const jobLog = await logOf(server.lab.path, 1)
  server.logs.set('a', jobLog)
  const headers = await authorized()
  const idle = await wire(listener.port)
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false })
  const kept = await openAnswer(listener.port, '/is_alive', { agent })
  kept.resume()
  await new Promise((resolve) => kept.once('end', resolve))
  const ending = await openAnswer(listener.port, '/jobs/a/log?follow=true', { headers })
  ending.resume()
  const ended = new Promise((resolve) => ending.once('end', resolve))

  const closed = listener.close(60_000)
  await idle.closed
  await rejection(ask(listener.port, '/is_alive'))
  await jobLog.write(FINISHED)
  await ended
  await closed

  const second = await start()
  server.logs.set('b', await logOf(`${server.lab.path}.b`, 1))
  const stuck = await openAnswer(second.port, '/jobs/b/log?follow=true', { headers })
  const handshaking = connectTcp({ host: '127.0.0.1', port: second.port })
  const dropped = new Promise((resolve) => handshaking.once('close', resolve))
  handshaking.on('error', () => undefined)
  await new Promise((resolve) => handshaking.once('connect', resolve))
  const broken = new Promise((resolve) => stuck.once('error', resolve))
  stuck.resume()
  await second.close(1)
  await broken
  await dropped
  agent.destroy()
  await second.close()
})

test('a client that takes nothing is let go; a quiet follower stays', async ({ start, server }) => {
  const { port } = await start({ timeouts: { stalledMs: 200 } })
  const jobLog = await logOf(server.lab.path, 0)
  for (let i = 0; i < 200; i++) await jobLog.write(output('x'.repeat(100_000)))
  server.logs.set('a', jobLog)
  const headers = await authorized()
  const path = `/jobs/a/log?follow=true&start_from=${jobLog.lineCount}`
  const quiet = await openAnswer(port, path, { headers })
  const stuck = await openAnswer(port, '/jobs/a/log', { headers }) // and never reads
  const error = new Promise<Error>((resolve) => stuck.once('error', resolve))
  const { localPort = 0 } = stuck.socket
  await until(() => stuck.readableLength > 0 && !isEstablished(port, localPort))
  stuck.resume() // what it had by then comes first

  assert.match((await error).message, 'aborted')

  await jobLog.write(FINISHED)
  let text = ''
  for await (const part of quiet) text += String(part)
  assert.match(text, 'job_finished')
})

test.run()
