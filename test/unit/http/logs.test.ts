import { gunzipSync } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { JobLog } from '../../../lib/events/job-log.ts'
import { FINISHED, logOf, output, outputsIn, STARTED } from '../job-log/log-lab.ts'
import { authorized, type ServerLab, serverLab } from './server-lab.ts'

interface Context {
  server: ServerLab
}

const test = suite<Context>('http: logs')

test.before.each(async (t) => {
  t.server = await serverLab()
})

test.after.each(async (t) => {
  for (const log of t.server.logs.values()) await log.close()
  await t.server.lab.remove()
})

async function get(
  server: ServerLab,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Response> {
  const all = { ...(await authorized()), ...headers }
  return await server.app.request(path, { method, headers: all })
}

async function keep(server: ServerLab, count: number): Promise<JobLog> {
  const log = await logOf(server.lab.path, count)
  server.logs.set('job-1', log)
  server.currentId = 'job-1'
  return log
}

function outputs(text: string): string[] {
  return outputsIn(text.split('\n').slice(0, -1))
}

/** Reads an answer as it comes. */
function pieces(answer: Response): { next(): Promise<string>; cancel(): Promise<void> } {
  const reader = answer.body?.getReader()
  return {
    next: async () => Buffer.from((await reader?.read())?.value ?? []).toString(),
    cancel: async () => await reader?.cancel(),
  }
}

test('a log is given out from the line asked for', async ({ server }) => {
  await keep(server, 5)

  const whole = await get(server, '/jobs/job-1/log')
  assert.is(whole.status, 200)
  assert.match(whole.headers.get('content-type') ?? '', /^text\/plain/)
  assert.equal(outputs(await whole.text()), ['0', '1', '2', '3', '4'])
  for (const [query, expected] of [
    ['start_from=0', ['0', '1', '2', '3', '4']],
    ['start_from=3', ['3', '4']],
    ['start_from=5', []],
    ['start_from=500', []],
    ['start_from=', ['0', '1', '2', '3', '4']],
    ['start_from=4&follow=false', ['4']],
  ] as const) {
    const answer = await get(server, `/jobs/job-1/log?${query}`)
    assert.equal(outputs(await answer.text()), expected, query)
  }
})

test('/job_logs is the log of the current job', async ({ server }) => {
  const none = await get(server, '/job_logs')
  assert.is(none.status, 404)
  assert.is(await none.text(), '{"message": "no job is running"}')

  await keep(server, 3)

  assert.equal(outputs(await (await get(server, '/job_logs?start_from=1')).text()), ['1', '2'])
})

test('an unknown job is 404 with its id, whatever characters that has', async ({ server }) => {
  for (const id of ['nope', 'a b', 'ü', 'x"y', '..']) {
    const answer = await get(server, `/jobs/${encodeURIComponent(id).replaceAll('.', '%2E')}/log`)
    assert.is(answer.status, 404)
    if (id !== '..') {
      assert.equal(JSON.parse(await answer.text()), { message: `job ${id} is not running` })
    }
  }
})

test('a start or follow that makes no sense is 422', async ({ server }) => {
  await keep(server, 1)
  for (const query of [
    ...['start_from=-1', 'start_from=1.5', 'start_from=abc', 'start_from=1e3', 'start_from=0x10'],
    ...['start_from=99999999999999999999', 'follow=maybe'],
  ]) {
    const answer = await get(server, `/jobs/job-1/log?${query}`)
    assert.is(answer.status, 422, query)
    const [name = '', value] = query.split('=')
    const { message } = (await answer.json()) as { message: string }
    assert.match(message, `${name}: expected`)
    assert.match(message, `got "${value}"`)
  }
})

test('a large log comes whole, in pieces', async ({ server }) => {
  const log = await keep(server, 50_000)

  const answer = await get(server, '/jobs/job-1/log')

  assert.is(outputs(await answer.text()).length, log.lineCount)
})

test('follow gives what is there at once, then each line as it is written', async ({ server }) => {
  const log = await keep(server, 1)
  const reading = pieces(await get(server, '/jobs/job-1/log?follow=true'))

  assert.equal(outputs(await reading.next()), ['0'])
  const live = reading.next()
  await log.write(output('live'))
  assert.equal(outputs(await live), ['live'])
  await log.write(FINISHED)
  assert.match(await reading.next(), 'job_finished')
  assert.is(await reading.next(), '')
})

test('gzip is used only when the client takes it, and unpacks to the same', async ({ server }) => {
  await keep(server, 50_000)
  const plain = await (await get(server, '/jobs/job-1/log')).text()

  for (const accepted of ['gzip', 'br, gzip;q=0.5', 'GZIP', '*', 'deflate, x-gzip']) {
    const answer = await get(server, '/jobs/job-1/log', { 'accept-encoding': accepted })
    assert.is(answer.headers.get('content-encoding'), 'gzip', accepted)
    const bytes = Buffer.from(await answer.arrayBuffer())
    assert.ok(bytes.length < plain.length / 4)
    assert.ok(gunzipSync(bytes).toString() === plain)
  }
  for (const refused of ['', 'identity', 'br', 'gzip;q=0', 'gzip;q=0, *', 'xgzip']) {
    const answer = await get(server, '/jobs/job-1/log', { 'accept-encoding': refused })
    assert.is(answer.headers.get('content-encoding'), null, refused)
    assert.ok((await answer.text()) === plain)
  }
})

test('a poll of middling size is packed in one piece, a small one not at all', async ({
  server,
}) => {
  await keep(server, 500)
  const headers = { 'accept-encoding': 'gzip' }

  const small = await get(server, '/jobs/job-1/log?start_from=499', headers)
  const middling = await get(server, '/jobs/job-1/log', headers)

  assert.is(small.headers.get('content-encoding'), null)
  assert.equal(outputs(await small.text()), ['499'])
  const bytes = Buffer.from(await middling.arrayBuffer())
  assert.is(outputs(gunzipSync(bytes).toString()).length, 500)
})

test('a packed line can be unpacked as soon as it is written', async ({ server }) => {
  const log = await keep(server, 1)
  const answer = await get(server, '/jobs/job-1/log?follow=true', { 'accept-encoding': 'gzip' })
  const stream = answer.body?.pipeThrough(new DecompressionStream('gzip') as never)
  const reading = pieces(new Response(stream as ReadableStream))

  assert.equal(outputs(await reading.next()), ['0'])
  for (const text of ['a', 'b']) {
    await log.write(output(text))
    assert.equal(outputs(await reading.next()), [text])
  }
  await log.write(FINISHED)
  assert.match(await reading.next(), 'job_finished')
  assert.is(await reading.next(), '')
})

test('events carry the number of their line', async ({ server }) => {
  const log = await JobLog.create(server.lab.path)
  server.logs.set('job-1', log)
  await log.write(STARTED)
  const headers = { accept: 'text/event-stream' }
  const answer = await get(server, '/jobs/job-1/log', headers)
  const reading = pieces(answer)

  assert.is(answer.headers.get('content-type'), 'text/event-stream')
  assert.is(await reading.next(), 'id: 0\ndata: {"event":"job_started","timestamp":1}\n\n')
  const live = reading.next()
  await log.write(output('1'))
  assert.match(await live, /^id: 1\ndata: \{.*\}\n\n$/)
  await log.write(FINISHED)
  assert.match(await reading.next(), /^id: 2\ndata: .*job_finished.*\n\n$/)
  assert.is(await reading.next(), '')
})

test('Last-Event-ID goes on at the next line, without loss or repetition', async ({ server }) => {
  const log = await keep(server, 40_000)
  await log.write(FINISHED)
  const accept = 'text/event-stream'
  const seen: string[] = []
  let lastId = ''
  for (let rounds = 0; rounds < 100; rounds++) {
    const headers = lastId === '' ? { accept } : { accept, 'last-event-id': lastId }
    const answer = await get(server, '/jobs/job-1/log?start_from=0', headers)
    if (answer.status === 204) break
    const reading = pieces(answer)
    const text = (await reading.next()) + (await reading.next()) // then the connection is lost
    await reading.cancel()
    for (const event of text.split('\n\n').slice(0, -1)) {
      const [, id = '', data = ''] = /^id: (\d+)\ndata: (.*)$/.exec(event) ?? []
      seen.push(data)
      lastId = id
    }
  }

  assert.is(lastId, '40000')
  assert.equal(outputsIn(seen), [...Array.from({ length: 40_000 }, (_, i) => `${i}`), ''])
})

test('an event source that has the last line is told not to come back', async ({ server }) => {
  const log = await keep(server, 2)
  const headers = { accept: 'text/event-stream', 'last-event-id': '2' }
  await log.write(FINISHED)

  assert.is((await get(server, '/jobs/job-1/log', headers)).status, 204)
  const bad = await get(server, '/jobs/job-1/log', { ...headers, 'last-event-id': 'x' })
  assert.is(bad.status, 422)
})

test('events can be polled with follow=false, and packed', async ({ server }) => {
  await keep(server, 2_000)
  const headers = { accept: 'text/event-stream', 'accept-encoding': 'gzip' }

  const answer = await get(server, '/jobs/job-1/log?follow=false&start_from=1990', headers)
  const large = await get(server, '/jobs/job-1/log?follow=false', headers)

  assert.is((await answer.text()).split('\n\n').length, 11)
  const text = gunzipSync(Buffer.from(await large.arrayBuffer())).toString()
  assert.is(text.split('\n\n').length, 2_001)
})

test('HEAD has no body and reads nothing', async ({ server }) => {
  await keep(server, 2)

  const answer = await get(server, '/jobs/job-1/log?follow=true', {}, 'HEAD')

  assert.is(answer.status, 200)
  assert.is(await answer.text(), '')
})

test('a log whose file is gone is a 500 that says so', async ({ server }) => {
  const log = await keep(server, 2)
  await log.close()
  await server.lab.remove()

  const answer = await get(server, '/jobs/job-1/log')

  assert.is(answer.status, 500)
  const { message } = (await answer.json()) as { message: string }
  assert.match(message, /job\.log cannot be read: it is gone/)
})

test('a job is told as its log has it: while it runs, when it is over, and after a restart', async ({
  server,
}) => {
  const log = await JobLog.create(server.lab.path)
  server.logs.set('job-1', log)
  const ask = async (id: string) => await get(server, `/jobs/${id}`)
  const told = async () =>
    (await (await ask('job-1')).json()) as { steps: object[]; [key: string]: unknown }
  const long = 'x'.repeat(300_000) // longer than one read of a log that is read again
  const at = { timestamp: 3, started_at: 1, finished_at: 3 }

  await log.write(STARTED)
  await log.write({ event: 'cmd_started', timestamp: 1, directive: long })
  await log.write(output(long))
  const running = await told()
  await log.write({ event: 'cmd_finished', ...at, directive: long, exit_code: 3 })
  await log.write({ event: 'job_finished', timestamp: 3, result: 'failed' })
  const { steps, ...over } = await told()
  server.logs.set('job-1', await JobLog.reopen(server.lab.path))
  const reopened = await told()

  const directive = `${'x'.repeat(200)}…`
  const open = { exit_code: null, finished_at: null, duration_ms: null }
  assert.equal(
    [running['state'], running['result'], running['lines'], running.steps],
    ['running', null, 3, [{ directive, started_at: 1, ...open }]],
  )
  assert.equal(over, {
    ...{ id: 'job-1', state: 'finished', result: 'failed', lines: 5, bytes: log.size },
  })
  const [{ duration_ms, ...step } = { duration_ms: undefined }] = steps as {
    duration_ms: unknown
  }[]
  assert.type(duration_ms, 'number')
  assert.equal(step, { directive, exit_code: 3, started_at: 1, finished_at: 3 })
  assert.equal(reopened, { ...over, steps: [{ ...step, duration_ms: 2_000 }] })
  const unknown = await ask('job-2')
  assert.equal(
    [unknown.status, await unknown.text()],
    [404, '{"message": "job job-2 is not running"}'],
  )
})

test.run()
