import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { blockEnd, type JobEvent } from '../../../lib/events/event.ts'
import { JobLog } from '../../../lib/events/job-log.ts'
import { isUploadDue, wantsUpload } from '../../../lib/log-upload/artifact-store.ts'
import { type LogUpload, uploadJobLog } from '../../../lib/log-upload/upload.ts'
import { collectingLogger } from '../../helpers/collecting-logger.ts'

interface Visit {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

interface Context {
  directory: string
  url: string
  /** Answers to come, before those that succeed. */
  answers: { status: number; body?: string }[]
  visits: Visit[]
  close: () => Promise<void>
}

const test = suite<Context>('log upload')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'upload-'))
  t.answers = []
  t.visits = []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray())
    const { method, url, headers } = request
    t.visits.push({ method, url, headers, body })
    const urls = [{ url: `${t.url}/storage?signature=hush`, method: 'PUT' }]
    const answer = t.answers.shift() ?? { status: 200, body: JSON.stringify({ urls }) }
    response.writeHead(answer.status).end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

test.after.each(async (t) => {
  await t.close()
  await rm(t.directory, { recursive: true, force: true })
})

function encode(variables: Readonly<Record<string, string>>) {
  return Object.entries(variables).map(([name, value]) => ({
    name,
    value: Buffer.from(value).toString('base64'),
  }))
}

async function writeLog({ directory }: Context, outputs: readonly string[]): Promise<JobLog> {
  const jobLog = await JobLog.create(join(directory, 'log'))
  const start = { directive: 'make\nmake check', timestamp: 1 }
  const events: JobEvent[] = [
    { event: 'job_started', timestamp: 1 },
    { event: 'cmd_started', ...start },
    ...outputs.map((output) => ({ event: 'cmd_output', timestamp: 1, output }) as const),
    blockEnd(start, 0),
    { event: 'job_finished', timestamp: 1, result: 'passed' },
  ]
  for (const event of events) await jobLog.write(event)
  await jobLog.close()
  return jobLog
}

async function upload(t: Context, jobLog: JobLog, options: Partial<LogUpload> = {}) {
  const log = collectingLogger()
  const variables = encode({
    SEMAPHORE_ORGANIZATION_URL: `${t.url}/`,
    SEMAPHORE_ARTIFACT_TOKEN: 'secret-token',
  })
  const { signal } = new AbortController()
  const defaults = { jobLog, jobId: 'job-1', variables, log, signal, delaysMs: [0, 0, 0, 0] }
  await uploadJobLog({ ...defaults, ...options })
  const said = [...log.errors, ...log.warnings].join()
  assert.not.match(said, 'secret-token')
  assert.not.match(said, 'hush')
  return said
}

test('the plain text goes where the control plane says, with its length', async (t) => {
  const jobLog = await writeLog(t, ['one\n', 'zwei ä\n', 'no newline'])

  assert.is(await upload(t, jobLog), '')

  const [asked, put, ...others] = t.visits
  assert.is(`${asked?.method} ${asked?.url}`, 'POST /api/v1/artifacts')
  assert.is(asked?.headers.authorization, 'secret-token')
  assert.equal(JSON.parse(String(asked?.body)), {
    paths: ['artifacts/jobs/job-1/agent/job_logs.txt'],
    type: 1,
  })
  assert.is(`${put?.method} ${put?.url}`, 'PUT /storage?signature=hush')
  const text = 'make\nmake check\none\nzwei ä\nno newline'
  assert.is(String(put?.body), text)
  assert.is(put?.headers['content-length'], String(Buffer.byteLength(text)))
  assert.is(put?.headers.authorization, undefined)
  assert.equal(others, [])
})

test('a large log is compressed, and its lines may be longer than what is read at once', async (t) => {
  const outputs = Array.from({ length: 30 }, (_, i) => `${i} ${'ä'.repeat(50_000)}\n`)
  const jobLog = await writeLog(t, outputs)

  assert.is(await upload(t, jobLog, { gzipFromBytes: 1_000_000 }), '')

  const [asked, put] = t.visits
  assert.match(String(asked?.body), '/job_logs.txt.gz')
  assert.is(put?.headers['content-length'], String(put?.body.length))
  assert.is(String(gunzipSync(put?.body ?? Buffer.of())), `make\nmake check\n${outputs.join('')}`)
})

test('5xx is tried four times more, everything else is final', async (t) => {
  const jobLog = await writeLog(t, ['x'])
  t.answers = Array.from({ length: 4 }, () => ({ status: 503 }))
  assert.is(await upload(t, jobLog), '')
  assert.is(t.visits.length, 6)

  t.visits = []
  t.answers = Array.from({ length: 5 }, () => ({ status: 500 }))
  assert.match(await upload(t, jobLog), 'answered 500')
  assert.is(t.visits.length, 5)

  t.visits = []
  t.answers = [{ status: 401 }]
  assert.match(await upload(t, jobLog), `${t.url}/api/v1/artifacts answered 401`)
  assert.is(t.visits.length, 1)

  t.visits = []
  t.answers = [{ status: 200, body: '{"urls":[]}' }]
  assert.match(await upload(t, jobLog), 'returned no URL to upload to')
})

test('a storage that is not there is told, without its secret address', async (t) => {
  const jobLog = await writeLog(t, ['x'])
  const urls = [{ url: 'http://127.0.0.1:1/?signature=hush', method: 'PUT' }]
  t.answers = [{ status: 200, body: JSON.stringify({ urls }) }]

  assert.match(await upload(t, jobLog, { delaysMs: [] }), 'the storage: ')
})

test('a job without what it needs is told so, and a stop gives it up', async (t) => {
  const jobLog = await writeLog(t, ['x'])

  assert.match(await upload(t, jobLog, { variables: [] }), 'no variable SEMAPHORE_ORGANIZATION_URL')
  const variables = encode({ SEMAPHORE_ORGANIZATION_URL: 'ftp://x', SEMAPHORE_ARTIFACT_TOKEN: 'x' })
  assert.match(await upload(t, jobLog, { variables }), 'is not an http:// or https:// URL')
  const signal = AbortSignal.abort(new Error('the agent ends'))
  assert.match(await upload(t, jobLog, { signal }), 'the agent ends')
  assert.equal(t.visits, [])
})

test('a log is uploaded always, when it was trimmed, or never', () => {
  const policy = (value: string) => encode({ SEMAPHORE_AGENT_UPLOAD_JOB_LOGS: value })
  const large = { size: 16 * 1024 * 1024 + 1 }

  assert.is(wantsUpload(policy('always'), { size: 1 }), true)
  assert.is(wantsUpload(policy('when-trimmed'), { size: 1 }), false)
  assert.is(wantsUpload(policy('when-trimmed'), { size: 11 }, 10), true)
  assert.is(wantsUpload(policy('when-trimmed'), large), true)
  assert.is(wantsUpload(policy('never'), large), false)
  assert.is(wantsUpload(policy('sometimes'), large), false)
  assert.is(wantsUpload([], large), false)
  assert.is(isUploadDue('when-trimmed', true), true)
})

test.run()
