import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { JobLogError, RequestError } from '../../../lib/errors.ts'
import { LogFile } from '../../../lib/log-file.ts'
import { authorized, MAX_BODY_BYTES, type ServerLab, serverLab } from './server-lab.ts'

interface Context {
  server: ServerLab
}

type Body = ReadableStream | string | Uint8Array<ArrayBuffer>

const test = suite<Context>('http: app')

test.before.each(async (t) => {
  t.server = await serverLab()
})

test.after.each(async (t) => {
  await t.server.lab.remove()
})

async function call(
  server: ServerLab,
  method: string,
  path: string,
  body?: Body,
): Promise<{ status: number; text: string; headers: Headers }> {
  const init = { method, headers: await authorized(), duplex: 'half', body: body ?? null }
  const answer = await server.app.request(path, init as RequestInit)
  return { status: answer.status, text: await answer.text(), headers: answer.headers }
}

test('status tells state and version', async ({ server }) => {
  const idle = await call(server, 'GET', '/status')
  server.state = 'job-received'
  const busy = await call(server, 'GET', '/status')

  assert.is(idle.text, '{"state":"waiting-for-job","version":"1.2.3"}')
  assert.is(busy.text, '{"state":"job-received","version":"1.2.3"}')
})

test('each fate of a submission has its status and its words', async ({ server }) => {
  const fates = [
    [{ kind: 'accepted' }, 200, '{"message": "ok"}'],
    [{ kind: 'duplicate' }, 200, '{"message": "job is already running"}'],
    [{ kind: 'busy' }, 422, '{"message": "another job is already running"}'],
    [{ kind: 'refused', reason: 'shutting "down"' }, 422, '{"message": "shutting \\"down\\""}'],
  ] as const
  for (const [submission, status, text] of fates) {
    server.submission = () => submission
    const answer = await call(server, 'POST', '/jobs', '{"job_id": "a"}')
    assert.is(answer.status, status)
    assert.is(answer.text, text)
    assert.is(answer.headers.get('content-type'), 'application/json')
  }
})

test('the body is JSON whatever the content type says', async ({ server }) => {
  for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'é']) {
    const headers = { ...(await authorized()), 'content-type': type === 'é' ? 'x/%' : type }
    const init = { method: 'POST', body: '{"job_id": "ü"}', headers }
    assert.is((await server.app.request('/jobs', init)).status, 200)
  }
  assert.equal(server.submitted, Array(4).fill({ job_id: 'ü' }))
})

test('what is no JSON is 422, says where, and repeats nothing of it', async ({ server }) => {
  const bodies: [Body, RegExp][] = [
    ['', /expected JSON: Unexpected end/],
    ['{"value": "c2VjcmV0" oops', /expected JSON: Expected .* at position \d+/],
    ['hunter2', /expected JSON: Unexpected token 'h'"/],
    [new Uint8Array([0x22, 0xff, 0x22]), /expected JSON: not UTF-8/],
  ]
  for (const [body, expected] of bodies) {
    const { status, text } = await call(server, 'POST', '/jobs', body)
    assert.is(status, 422)
    assert.match(text, expected)
    assert.not.match(text, /c2VjcmV0|hunter2/)
    const { message, errors } = JSON.parse(text) as { message: string; errors: string[] }
    assert.is(errors.length, 1)
    assert.match(message, errors[0] ?? '-')
  }
  assert.equal(server.submitted, [])
})

test('a malformed request is 422 with every error and its path', async ({ server }) => {
  server.submission = () => {
    throw new RequestError([
      { path: 'commands[2].directive', message: 'expected a string' },
      { path: 'executor', message: 'unknown "vm"' },
    ])
  }

  const { status, text } = await call(server, 'POST', '/jobs', '{}')

  assert.is(status, 422)
  assert.equal(JSON.parse(text), {
    message:
      'The job request is malformed: 2 errors, the first: commands[2].directive: expected a string',
    errors: ['commands[2].directive: expected a string', 'executor: unknown "vm"'],
    code: 'ERR_REQUEST_INVALID',
  })
})

test('a body over the limit is 413, announced or not; one of just that size is taken', async ({
  server,
}) => {
  const full = JSON.stringify('x'.repeat(MAX_BODY_BYTES - 2))
  const over = `${full} `
  const chunked = (text: string) => new Blob([text]).stream()

  assert.is((await call(server, 'POST', '/jobs', full)).status, 200)
  assert.is((await call(server, 'POST', '/jobs', chunked(full))).status, 200)
  for (const body of [over, chunked(over)]) {
    const { status, text } = await call(server, 'POST', '/jobs', body)
    assert.is(status, 413)
    assert.match(text, '{"message": "The body is larger than the 4096 bytes')
  }
  assert.is(server.submitted.length, 2)
})

test('many large bodies at once are refused, and leave no trace in the count', async ({
  server,
}) => {
  const held: (() => void)[] = []
  const waiting = (text: string) =>
    new ReadableStream({
      async start(controller) {
        controller.enqueue(Buffer.from(text))
        await new Promise<void>((resolve) => held.push(resolve))
        controller.close()
      },
    })
  const large = JSON.stringify('x'.repeat(MAX_BODY_BYTES - 2))
  const calls = Array.from({ length: 4 }, () => call(server, 'POST', '/jobs', waiting(large)))

  // Taken until the four have arrived; the runner's own limit ends a wait in vain.
  let fifth = 200
  while (fifth === 200) fifth = (await call(server, 'POST', '/jobs', '1')).status

  assert.is(fifth, 503)
  for (const release of held) release()
  assert.equal(
    (await Promise.all(calls)).map(({ status }) => status),
    [200, 200, 200, 200],
  )
  assert.is((await call(server, 'POST', '/jobs', large)).status, 200)
})

test('stop and terminate are 200 and empty, job or no job', async ({ server }) => {
  for (const path of ['/stop', '/jobs/terminate']) {
    const { status, text } = await call(server, 'POST', path)
    assert.is(status, 200)
    assert.is(text, '')
  }
  assert.is(server.stops, 2)
})

test('an unknown path is 404 as JSON, a wrong method 405 with the right one', async ({
  server,
}) => {
  const unknown = await call(server, 'GET', '/jobs/a/b')
  assert.is(unknown.status, 404)
  assert.is(unknown.text, '{"message": "There is no GET /jobs/a/b"}')

  const wrong = await call(server, 'GET', '/jobs')
  assert.is(wrong.status, 405)
  assert.is(wrong.headers.get('allow'), 'POST')
  assert.is(wrong.text, '{"message": "/jobs only accepts POST"}')
  for (const method of ['GET', 'DELETE']) {
    const { status, text } = await call(server, method, '/jobs/terminate')
    assert.is(status, 405)
    assert.is(text, '{"message": "/jobs/terminate only accepts POST"}')
  }
  assert.is((await call(server, 'DELETE', '/jobs/a/log')).status, 405)
  assert.is((await call(server, 'HEAD', '/nope')).status, 404)
})

test("the agent's own log is given out, and 404 when there is none", async ({ server }) => {
  const none = await call(server, 'GET', '/agent_logs')
  assert.is(none.status, 404)
  assert.is(none.text, '{"message": "the agent keeps no log of its own"}')

  server.agentLog = new LogFile(join(server.lab.directory, 'agent_log'), 10_000_000)
  assert.is((await call(server, 'GET', '/agent_logs')).text, '')
  const text = 'ä line of the agent\n'.repeat(20_000)
  server.agentLog.write(text)

  const some = await call(server, 'GET', '/agent_logs')
  assert.is(some.status, 200)
  assert.is(some.headers.get('content-type'), 'text/plain; charset=utf-8')
  assert.ok(some.text === text)
})

test('metrics are Prometheus text', async ({ server }) => {
  const { status, text, headers } = await call(server, 'GET', '/metrics')

  assert.is(status, 200)
  assert.is(text, 'agent_jobs_total 1\n')
  assert.match(headers.get('content-type') ?? '', 'text/plain; version=0.0.4')
})

test("our own failure is a 500 with its reason; a bug is one with nothing of the agent's inside", async ({
  server,
}) => {
  server.submission = () => {
    throw new JobLogError('No log can be made', { hint: 'Make room' })
  }
  const failure = await call(server, 'POST', '/jobs', '{}')
  assert.is(failure.status, 500)
  assert.is(
    failure.text,
    '{"message": "No log can be made. Make room", "code": "ERR_JOB_LOG_FAILED"}',
  )

  server.submission = () => {
    throw new TypeError('secret undefined')
  }
  const bug = await call(server, 'POST', '/jobs', '{}')
  assert.is(bug.status, 500)
  assert.match(bug.text, '{"message": "The agent failed to answer this request')
  assert.not.match(bug.text, /secret|app\.ts|at /)
  assert.match(server.entries.join('\n'), 'error: A request failed: TypeError: secret undefined')
})

test.run()
