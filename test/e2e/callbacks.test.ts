/** A control plane hears of a job's end, in the order of lib/job/README.md. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runJob, startJob } from '../helpers/agent.ts'
import {
  type Answer,
  type ControlPlane,
  startControlPlane,
  startTlsControlPlane,
} from '../helpers/control-plane.ts'
import { waitFor } from '../helpers/host.ts'
import { FIRST_CERTIFICATE } from '../unit/http/certificates.ts'

interface Context {
  planes: ControlPlane[]
}

const test = suite<Context>('callbacks')

test.before.each((t) => {
  t.planes = []
})

test.after.each(async ({ planes }) => {
  await Promise.all(planes.map((plane) => plane.close()))
})

async function start(t: Context, ...answers: Answer[]): Promise<ControlPlane> {
  const plane = await startControlPlane(...answers)
  t.planes.push(plane)
  return plane
}

const callbacksTo = ({ url }: ControlPlane) => ({
  finished: `${url}/finished`,
  teardown_finished: `${url}/teardown`,
  token: 's3cret',
})

test('finished is sent with the result, then teardown_finished, both with the token', async (t) => {
  const plane = await start(t)

  const { code, stdout, stderr } = await runJob({
    commands: [{ directive: 'false' }],
    callbacks: callbacksTo(plane),
  })

  assert.is(code, 1)
  assert.equal(
    plane.calls.map(({ method, path, body }) => `${method} ${path} ${body}`),
    ['POST /finished {"result":"failed"}', 'POST /teardown {}'],
  )
  for (const { headers } of plane.calls) {
    assert.is(headers['authorization'], 'Bearer s3cret')
    assert.match(headers['user-agent'] ?? '', /^SemaphoreAgent\/\d/)
  }
  assert.not.match(stdout + stderr, 's3cret')
})

test('job_finished comes after the finished callback was accepted', async (t) => {
  let accept = () => {}
  const plane = await start(t, (response) => {
    accept = () => response.writeHead(200).end()
  })
  const job = await startJob({ commands: [], callbacks: { finished: plane.url } })
  await waitFor(() => plane.calls.length === 1, 'the callback arrives')

  assert.not.match(job.stdout, 'job_finished')
  accept()

  assert.is((await job.finished).result, 'passed')
})

test('a callback that is refused at first is tried again', async (t) => {
  const plane = await start(t, 500, (response) => void response.destroy(), 200)

  const { code, stderr } = await runJob({ commands: [], callbacks: { finished: plane.url } })

  assert.is(code, 0)
  assert.is(plane.calls.length, 3)
  assert.match(stderr, 'failed in attempt 1 of 60: it answered 500')
})

test('a callback that never succeeds is told on stderr, and changes nothing else', async (t) => {
  const plane = await start(t, 503)

  const { code, result, stderr } = await runJob(
    { commands: [{ directive: 'true' }], callbacks: { finished: `${plane.url}/x` } },
    { args: ['--callback-retry-attempts', '2'] },
  )

  assert.is(code, 0)
  assert.is(result, 'passed')
  assert.is(plane.calls.length, 2)
  assert.match(
    stderr,
    `agent: error: The finished callback to ${plane.url}/x failed 2 times; giving up: it answered 503`,
  )
})

test('a stopped job says so', async (t) => {
  const plane = await start(t)
  const job = await startJob({
    commands: [{ directive: 'echo on; sleep 1000' }],
    callbacks: { finished: plane.url },
  })
  await waitFor(() => job.stdout.includes('"on\\n"'), 'the command runs')

  job.signal('SIGTERM')

  assert.is((await job.finished).code, 130)
  assert.equal(
    plane.calls.map(({ body }) => body),
    ['{"result":"stopped"}'],
  )
})

test('a second signal does not wait for callbacks', async (t) => {
  const plane = await start(t, 503)
  const job = await startJob({ commands: [], callbacks: { finished: plane.url } })
  await waitFor(() => job.stderr.includes('attempt 1 of 60'), 'the callback fails')

  job.signal('SIGINT')
  await waitFor(() => job.stderr.includes('Ctrl-C again'), 'the first signal is heard')
  job.signal('SIGINT')

  const { stderr, result } = await job.finished
  assert.match(stderr, 'until the agent had to stop')
  assert.is(result, 'passed') // it was over before
})

test('an authority in the store of the host is trusted, others are not', async (t) => {
  const plane = await startTlsControlPlane(FIRST_CERTIFICATE)
  t.planes.push(plane)
  const directory = await mkdtemp(join(tmpdir(), 'store-'))
  const store = join(directory, 'ca.pem')
  await writeFile(store, FIRST_CERTIFICATE.cert)
  const job = { commands: [], callbacks: { finished: plane.url } }
  const args = ['--callback-retry-attempts', '1']

  const trusting = await runJob(job, { args, environment: { SSL_CERT_FILE: store } })
  const other = await runJob(job, { args })
  await rm(directory, { recursive: true })

  assert.is(trusting.stderr, '')
  assert.is(plane.calls.length, 1)
  assert.match(other.stderr, /certificate/)
})

test.run()
