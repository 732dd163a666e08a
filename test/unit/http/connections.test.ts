/** Whoever holds connections without a token has to make room for those who come after. */

import { connect as connectTcp, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ConnectionLimits } from '../../../lib/http/connections.ts'
import { type Listener, listen } from '../../../lib/http/listen.ts'
import { FINISHED, logOf } from '../job-log/log-lab.ts'
import { FIRST_CERTIFICATE } from './certificates.ts'
import { ask, authorized, openAnswer, type ServerLab, serverLab, until } from './server-lab.ts'

interface Context {
  server: ServerLab
  warnings: string[]
  listener: Listener | undefined
  start(limits: ConnectionLimits, timeouts?: { headersMs: number }): Promise<number>
}

const test = suite<Context>('http: connections')

test.before.each(async (t) => {
  t.server = await serverLab()
  t.warnings = []
  t.start = async (limits, timeouts = { headersMs: 60_000 }) => {
    const warn = (message: string) => void t.warnings.push(message)
    t.listener = await listen(t.server.app, {
      ...{ host: '127.0.0.1', port: 0, tls: () => FIRST_CERTIFICATE, limits, timeouts },
      log: { debug() {}, info() {}, warn, error() {} },
    })
    return t.listener.port
  }
})

test.after.each(async (t) => {
  await t.listener?.close(0)
  for (const jobLog of t.server.logs.values()) await jobLog.close()
  await t.server.lab.remove()
})

/** Connects and says nothing. */
async function silent(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port, localAddress })
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

function open(sockets: readonly Socket[]): boolean[] {
  return sockets.map(({ closed }) => !closed)
}

test('when all are taken, the oldest without a token goes, and a client with one is served', async ({
  start,
  warnings,
}) => {
  const port = await start({ total: 3, strangersPerAddress: 3 })
  const strangers = [await silent(port), await silent(port), await silent(port)]

  const answer = await ask(port, '/status', { headers: await authorized() })

  assert.is(answer.status, 200)
  await until(() => strangers[0]?.closed === true)
  assert.equal(open(strangers), [false, true, true])
  assert.equal(warnings, [
    'Too many connections: 1 closed that had not sent a valid token, most recently to make room for 127.0.0.1 (limits: 3, without a token 3 from one address)',
  ])
  for (const socket of strangers) socket.destroy()
})

test('whoever has shown a token stays, whatever comes after', async ({
  start,
  server,
  warnings,
}) => {
  const port = await start({ total: 4, strangersPerAddress: 4 })
  const jobLog = await logOf(server.lab.path, 1)
  server.logs.set('a', jobLog)
  const headers = await authorized()
  const follower = await openAnswer(port, '/jobs/a/log?follow=true', { headers })
  const strangers: Socket[] = []
  for (let i = 0; i < 20; i++) strangers.push(await silent(port))
  await until(() => strangers.filter(({ closed }) => closed).length === 17)

  await jobLog.write(FINISHED)
  let text = ''
  for await (const part of follower) text += String(part)

  assert.match(text, 'job_finished')
  assert.is(warnings.length, 1)
  for (const socket of strangers) socket.destroy()
})

test('a wrong token is none', async ({ start, server }) => {
  const port = await start({ total: 1, strangersPerAddress: 1 })
  server.logs.set('a', await logOf(server.lab.path, 1))
  const agent = { authorization: 'Bearer wrong' }
  const refused = await openAnswer(port, '/status', { headers: agent })
  const closed = new Promise((resolve) => refused.socket.once('close', resolve))

  const next = await ask(port, '/status', { headers: await authorized() })

  assert.is(refused.statusCode, 401)
  assert.is(next.status, 200)
  await closed
})

test('when all have shown a token, the next one is turned away', async ({ start, server }) => {
  const port = await start({ total: 1, strangersPerAddress: 1 })
  server.logs.set('a', await logOf(server.lab.path, 1))
  const headers = await authorized()
  const follower = await openAnswer(port, '/jobs/a/log?follow=true', { headers })
  const late = await silent(port)

  await until(() => late.closed)

  assert.is(follower.socket.destroyed, false)
  follower.on('error', () => undefined).destroy()
})

test('a client in its handshake outlasts those who only connect', async ({ start }) => {
  const port = await start({ total: 6, strangersPerAddress: 6 })
  const slow = connectTcp({ host: '127.0.0.1', port })
  slow.on('error', () => undefined)
  slow.write(Buffer.from([0x16, 0x03, 0x01])) // the beginning of a ClientHello
  for (let i = 0; i < 3; i++) await ask(port, '/is_alive') // so that it has been read
  const strangers: Socket[] = []
  for (let i = 0; i < 20; i++) strangers.push(await silent(port))

  await until(() => strangers.filter(({ closed }) => closed).length === 15)

  assert.equal(open([slow]), [true])
  for (const socket of [slow, ...strangers]) socket.destroy()
})

test('one address takes only its share from the others', async ({ start }) => {
  const port = await start({ total: 10, strangersPerAddress: 2 })
  const other = await silent(port, '127.0.0.2')
  const crowd: Socket[] = []
  for (let i = 0; i < 5; i++) crowd.push(await silent(port, '127.0.0.3'))

  await until(() => crowd.filter(({ closed }) => closed).length === 3)

  assert.equal(open([other, ...crowd]), [true, false, false, false, true, true])
  for (const socket of [other, ...crowd]) socket.destroy()
})

test('whoever says nothing is let go: before the handshake, and after it', async ({ start }) => {
  const port = await start({ total: 10, strangersPerAddress: 10 }, { headersMs: 200 })
  const mute = await silent(port)
  const shaken = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  shaken.on('error', () => undefined).resume()

  await until(() => mute.closed && shaken.closed)

  assert.is((await ask(port, '/is_alive')).text, 'yes')
})

test.run()
