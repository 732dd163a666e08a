/** What a person reads of an error: its code, wherever it is told, and never a password of a URL. */

import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encode, runAgent, runJob, startJob } from '../helpers/agent.ts'
import { waitFor } from '../helpers/host.ts'
import { followLog, outputIn, serveAgent, whenFree } from '../helpers/served-agent.ts'
import { tracesInProcesses } from '../helpers/traces.ts'

interface Context {
  directory: string
}

const test = suite<Context>('error texts')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'texts-'))
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true })
})

const PASSWORD = 'pa/ssw0rd'

/** Neither can be used, and what refuses them repeats them. */
const PROXIES = [`http://me:${PASSWORD}@127.0.0.1:1`, `http://me:${PASSWORD}@127.0.0.1:999999`]

test('on the command line and in the log of a job an error has its code', async () => {
  const call = await runAgent(['run', '--stop-grace-period', 'soon', 'x.yaml'])
  const file = await runAgent(['run', '/no/such/file'])
  const job = await runAgent(['run', '-'], { input: 'commands: 3\nexecutor: vm\n' })
  const content = await runJob({ env_vars: [{ name: 'A', value: '*' }] })

  assert.match(call.stderr, /^agent: --stop-grace-period: .* \[ERR_CONFIG_INVALID\]\n.+\n$/)
  assert.match(file.stderr, /^agent: .* \[ERR_FILE_UNREADABLE\]\n.+\n$/)
  assert.match(job.stderr, /^agent: .* \[ERR_REQUEST_INVALID\]\n(.+\n)+$/)
  assert.not.match(job.stderr, /send/)
  assert.match(content.stdout, /\[ERR_CONTENT_INVALID\]/)
})

test('in an answer over HTTP it has its code, after what was there before', async () => {
  const served = await serveAgent()

  const { status, text } = await served.ask('POST', '/jobs', { body: '{"commands": 3}' })
  await served.stop()

  assert.is(status, 422)
  assert.match(text, /^\{"message": ".+", "errors": \[".+"\], "code": "ERR_REQUEST_INVALID"\}$/)
})

test('a variable for every job comes from a private file, and shows in no argument', async (t) => {
  const file = join(t.directory, 'variables')
  await writeFile(file, 'OF_AGENT=hidden-of-agent\n', { mode: 0o600 })
  const args = ['--env-vars-file', file]
  const job = await startJob(
    { commands: [{ directive: 'echo "=$OF_AGENT"; sleep 1000' }] },
    { args },
  )
  await waitFor(() => job.stdout.includes('=hidden-of-agent'), 'the job has the variable')

  const traces = tracesInProcesses(['hidden-of-agent'])
  job.signal('SIGTERM')
  await job.finished
  await chmod(file, 0o644)
  const refused = await runJob({}, { args })

  assert.equal(traces, [])
  assert.is(refused.code, 2)
  assert.match(
    refused.stderr,
    `--env-vars-file: others may read or change ${file} [ERR_CONFIG_INVALID]`,
  )
})

for (const proxy of PROXIES) {
  test(`the password of a proxy that is no use is in no log: ${proxy.slice(-9)}`, async () => {
    const environment = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy }
    const url = 'http://nowhere.invalid/callback'
    const cache = { BACKEND: 's3', S3_BUCKET: 'b', S3_URL: 'http://nowhere.invalid' }
    const variables = {
      ...{ SEMAPHORE_PROJECT_ID: 'p', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' },
      ...Object.fromEntries(
        Object.entries(cache).map(([name, value]) => [`SEMAPHORE_CACHE_${name}`, value]),
      ),
    }
    const served = await serveAgent(['--callback-retry-attempts', '1'], { environment })
    const body = {
      job_id: 'proxied',
      env_vars: Object.entries(variables).map(([name, value]) => ({ name, value: encode(value) })),
      commands: [{ directive: 'cache has_key k; HTTP_PROXY=http://a:b cache has_key k' }],
      callbacks: { finished: url },
    }

    const answer = await served.ask('POST', '/jobs', { body: JSON.stringify(body) })
    const log = await followLog(served, 'proxied')
    await whenFree(served)
    const own = await readFile(join(served.directory, 'agent_log'), 'utf8')
    await served.stop()

    assert.is(answer.status, 200, answer.text)
    assert.match(outputIn(log), /^error: HTTPS?_PROXY is not the address of a proxy/m)
    assert.match(own, 'callback')
    assert.not.match(log + own + served.agent.stdout + served.agent.stderr, /ssw0rd/)
  })
}

test.run()
