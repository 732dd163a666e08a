/** lib/http/README.md, on the binary: who may talk to it, and what it answers. */

import { createHmac, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { Agent } from 'node:https'
import { connect } from 'node:tls'
import { base64url, SignJWT } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { waitFor } from '../helpers/host.ts'
import {
  curl,
  eventsIn,
  followLog,
  outputIn,
  SECRET,
  type ServedAgent,
  serveAgent,
  shellJob,
  signToken,
  whenFree,
  withAgent,
} from '../helpers/served-agent.ts'

interface Context {
  served: ServedAgent
}

const test = suite<Context>('serve: http')

test.before(async (t) => {
  t.served = await serveAgent()
})

test.after(async (t) => {
  await t.served.stop()
})

let jobs = 0
const nextId = () => `http-${++jobs}`

/** Submits a job and waits until the agent is free again. */
async function runToEnd(served: ServedAgent, ...directives: string[]): Promise<[string, string]> {
  const id = nextId()
  const { status, text } = await served.ask('POST', '/jobs', { body: shellJob(id, ...directives) })
  assert.is(status, 200, text)
  const log = await followLog(served, id)
  await whenFree(served)
  return [id, log]
}

test('every kind of bad token gets the same 401, and none shows up in a log', async ({
  served,
}) => {
  const now = Math.floor(Date.now() / 1_000)
  const good = await signToken()
  const none = `${base64url.encode('{"alg":"none"}')}.${base64url.encode('{}')}.`
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const hs256 = `${base64url.encode('{"alg":"HS256"}')}.${base64url.encode('{}')}`
  const emptySecret = `${hs256}.${createHmac('sha256', '').update(hs256).digest('base64url')}`
  const tokens: Record<string, string> = {
    'wrong scheme': `Basic ${good}`,
    'alg none': `Bearer ${none}`,
    RS256: `Bearer ${await new SignJWT({}).setProtectedHeader({ alg: 'RS256' }).sign(privateKey)}`,
    truncated: `Bearer ${good.slice(0, -2)}`,
    expired: `Bearer ${await signToken({ exp: now - 5 })}`,
    'not yet valid': `Bearer ${await signToken({ nbf: now + 300 })}`,
    'the empty secret': `Bearer ${emptySecret}`,
    'another secret': `Bearer ${await signToken({}, `${SECRET} `)}`,
    '12 KB': `Bearer ${'x'.repeat(12_000)}`,
  }
  for (const [name, authorization] of Object.entries(tokens)) {
    const { status, text } = await served.ask('GET', '/status', { headers: { authorization } })
    assert.is(status, 401, name)
    assert.is(text, '"Invalid authorization token"\n', name)
  }
  const bare = await served.ask('GET', '/status', { isAnonymous: true })
  assert.equal([bare.status, bare.text], [401, '"An authorization header is required"\n'])

  assert.is((await served.ask('GET', '/status')).status, 200)
  const said = `${served.agent.stdout}${served.agent.stderr}${(await served.ask('GET', '/agent_logs')).text}`
  for (const authorization of [...Object.values(tokens), served.authorization]) {
    assert.not.ok(said.includes(authorization.slice(-20)))
  }
  assert.not.ok(said.includes(SECRET))
})

test('a megabyte of header is 431, and the agent goes on', async ({ served }) => {
  const socket = connect({ host: '127.0.0.1', port: served.port, rejectUnauthorized: false })
  const parts: Buffer[] = []
  socket.on('data', (part) => parts.push(part))
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  socket.write(
    `GET /status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${'a'.repeat(1_048_576)}\r\n`,
  )
  await once(socket, 'close')

  assert.match(Buffer.concat(parts).toString(), /^HTTP\/1\.1 431 /)
  assert.is((await served.ask('GET', '/is_alive')).text, 'yes')
})

test('of twenty jobs at once exactly one wins; its repeat is no second job', async ({ served }) => {
  const ids = Array.from({ length: 20 }, nextId)
  const bodies = ids.map((id) => shellJob(id, `echo ran ${id}`, 'sleep 60'))

  const answers = await Promise.all(bodies.map((body) => served.ask('POST', '/jobs', { body })))

  const winners = ids.filter((_, i) => answers[i]?.status === 200)
  assert.is(winners.length, 1)
  const [winner = ''] = winners
  for (const [i, { status, text }] of answers.entries()) {
    if (ids[i] === winner) assert.is(text, '{"message": "ok"}')
    else assert.equal([status, text], [422, '{"message": "another job is already running"}'])
  }
  const repeat = await served.ask('POST', '/jobs', { body: bodies[ids.indexOf(winner)] ?? '' })
  assert.equal([repeat.status, repeat.text], [200, '{"message": "job is already running"}'])
  for (const id of ids.filter((other) => other !== winner)) {
    const { status, text } = await served.ask('GET', `/jobs/${id}/log`)
    assert.equal([status, text], [404, `{"message": "job ${id} is not running"}`])
  }
  assert.match((await served.ask('GET', '/status')).text, '"state":"job-received"')

  await served.ask('POST', '/jobs/terminate')
  const log = await followLog(served, winner)
  assert.is(log.split('\n').filter((line) => line.includes('job_started')).length, 1)
  assert.match(log, /"result":"stopped"\}\n$/)
  await whenFree(served)
})

test('stop without a job is 200 and leaves the agent alive', async ({ served }) => {
  for (const path of ['/stop', '/jobs/terminate']) {
    const { status, text } = await served.ask('POST', path)
    assert.equal([status, text], [200, ''])
  }
  const [, log] = await runToEnd(served, 'echo alive')
  assert.match(outputIn(log), 'alive\n')
})

test('what is malformed is refused with every path, and nothing starts', async ({ served }) => {
  const body = JSON.stringify({ job_id: 'bad', executor: 'vm', commands: [{ directive: 1 }] })

  const { status, text } = await served.ask('POST', '/jobs', { body })

  assert.is(status, 422)
  const { message, errors } = JSON.parse(text) as { message: string; errors: string[] }
  assert.ok(message.length > 0)
  assert.ok(errors.some((error) => error.startsWith('executor: ')))
  assert.ok(errors.some((error) => error.startsWith('commands[0].directive: ')))
  const garbage = await served.ask('POST', '/jobs', { body: '{"job_id": ' })
  assert.is(garbage.status, 422)
  assert.match((await served.ask('GET', '/status')).text, 'waiting-for-job')
})

test('a body over the limit is 413, announced or not', async () => {
  await withAgent(
    async (served) => {
      const body = Buffer.alloc(1_100_000, ' ')
      const announced = await served.ask('POST', '/jobs', { body })
      assert.is(announced.status, 413)
      assert.match(announced.text, '{"message": "The body is larger than')

      const headers = { 'transfer-encoding': 'chunked' }
      const unannounced = await served.ask('POST', '/jobs', { body, headers })

      assert.is(unannounced.status, 413)
      assert.is((await served.ask('GET', '/is_alive')).text, 'yes')
    },
    ['--body-limit', '1m'],
  )
})

test('a slow body holds up nobody else', async ({ served }) => {
  const socket = connect({ host: '127.0.0.1', port: served.port, rejectUnauthorized: false })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  const id = nextId()
  const body = shellJob(id, 'echo the slow one')
  const head = [
    ...['POST /jobs HTTP/1.1', 'Host: x', `Authorization: ${served.authorization}`],
    ...[`Content-Length: ${body.length}`, 'Connection: close', '', ''],
  ].join('\r\n')
  socket.write(head + body.slice(0, 10))

  const [, log] = await runToEnd(served, 'echo the quick one')

  assert.match(outputIn(log), 'the quick one\n')
  const answer = once(socket, 'data')
  socket.write(body.slice(10))
  assert.match(String((await answer)[0]), /^HTTP\/1\.1 200 /)
  assert.match(outputIn(await followLog(served, id)), 'the slow one\n')
  await whenFree(served)
})

test('curl is served: a job, its log with and without packing, its events', async ({ served }) => {
  const id = nextId()
  const body = shellJob(id, 'for i in $(seq 3000); do echo "line $i"; done')

  assert.is(await curl(served, '-d', body, `${served.url}/jobs`), '{"message": "ok"}')
  const followed = await curl(served, `${served.url}/jobs/${id}/log?follow=true`)
  const packed = await curl(served, '--compressed', `${served.url}/jobs/${id}/log`)
  const events = await curl(
    served,
    '-H',
    'Accept: text/event-stream',
    `${served.url}/jobs/${id}/log`,
  )
  const older = await curl(served, `${served.url}/job_logs`)
  const alive = await curl(served, '-H', 'Authorization:', `${served.url}/is_alive`)

  assert.match(outputIn(followed), 'line 1\nline 2\n')
  assert.match(outputIn(followed), 'line 3000\n')
  assert.ok(packed === followed)
  assert.ok(older === followed)
  assert.ok(events.replace(/^id: \d+\ndata: /gm, '').replaceAll('\n\n', '\n') === followed)
  assert.is(alive, 'yes')
  await whenFree(served)
})

test('a client that keeps its connection asks for everything on one', async ({ served }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
  const ports = new Set<number | undefined>()
  const id = nextId()
  const paths = ['/status', '/nope', `/jobs/${id}/log`, `/jobs/${id}/log?follow=true`, '/job_logs']
  const posted = await served.ask('POST', '/jobs', { body: shellJob(id, 'echo kept'), agent })
  assert.is(posted.status, 200)
  await waitFor(
    async () => (await served.ask('GET', '/job_logs')).text.includes('started'),
    'a log',
  )
  for (const path of paths) {
    const response = await served.open('GET', path, { agent })
    ports.add(response.socket.localPort)
    response.resume()
    await once(response, 'close')
  }

  assert.is(ports.size, 1)
  agent.destroy()
  await whenFree(served)
})

/** Takes a few events and breaks the connection. @returns whether the agent says that was all */
async function takeEvents(served: ServedAgent, id: string, lines: string[]): Promise<boolean> {
  const accept = 'text/event-stream'
  const headers = { accept, ...(lines.length > 0 && { 'last-event-id': `${lines.length - 1}` }) }
  const response = await served.open('GET', `/jobs/${id}/log`, { headers })
  let text = ''
  for await (const part of response.setEncoding('utf8')) {
    text += String(part)
    if (text.split('\n\n').length > 8) break
  }
  for (const event of text.split('\n\n').slice(0, -1)) {
    const [, number, data] = /^id: (\d+)\ndata: (.*)$/.exec(event) ?? []
    if (number === undefined || data === undefined) continue // a comment
    assert.is(Number(number), lines.length)
    lines.push(data)
  }
  return response.statusCode === 204
}

test('an event source that loses its connection again and again loses nothing', async ({
  served,
}) => {
  const id = nextId()
  const body = shellJob(id, 'for i in $(seq 400); do echo "tick $i"; sleep 0.005; done')
  await served.ask('POST', '/jobs', { body })
  await waitFor(async () => (await served.ask('GET', `/jobs/${id}/log`)).status === 200, 'its log')
  const lines: string[] = []
  let connections = 0
  for (let isOver = false; !isOver; connections++) isOver = await takeEvents(served, id, lines)

  assert.ok(connections > 3)
  assert.is(`${lines.join('\n')}\n`, await followLog(served, id))
  await whenFree(served)
})

test('polls from line to line piece the log together exactly', async ({ served }) => {
  const id = nextId()
  const body = shellJob(id, 'for i in $(seq 300); do echo "tick $i"; sleep 0.003; done')
  await served.ask('POST', '/jobs', { body })
  await waitFor(async () => (await served.ask('GET', `/jobs/${id}/log`)).status === 200, 'its log')
  let log = ''
  let polls = 0
  while (!log.includes('job_finished')) {
    const lines = log.split('\n').length - 1
    const { text } = await served.ask('GET', `/jobs/${id}/log?start_from=${lines}`)
    assert.ok(text === '' || text.endsWith('\n'), 'whole lines only')
    log += text
    polls++
  }

  assert.ok(polls > 5)
  assert.is(log, await followLog(served, id))
  const output = Array.from({ length: 300 }, (_, i) => `tick ${i + 1}\n`).join('')
  assert.ok(outputIn(log).includes(output))
  await whenFree(served)
})

test('a finished job stays readable while the next ones run', async ({ served }) => {
  const [first, log] = await runToEnd(served, 'echo first')
  await runToEnd(served, 'echo second')

  assert.is((await served.ask('GET', `/jobs/${first}/log`)).text, log)
  assert.is(eventsIn(log).at(-1)?.event, 'job_finished')
})

test('metrics need a token and are Prometheus text', async ({ served }) => {
  const headers = { authorization: 'Bearer no' }
  assert.is((await served.ask('GET', '/metrics', { headers })).status, 401)

  const { status, text } = await served.ask('GET', '/metrics')

  assert.is(status, 200)
  assert.match(text, /^agent_jobs_total\{result="passed"\} [1-9]/m)
  for (const line of text.split('\n').filter((it) => it !== '')) {
    assert.match(line, /^(# (HELP|TYPE) [a-zA-Z_:].*|[a-zA-Z_:][\w:]*(\{.*\})? [-+.\w]+( \d+)?)$/)
  }
})

test.run()
