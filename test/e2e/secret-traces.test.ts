/** Image pull credentials leave no trace, while their job runs and afterwards. */

import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startAws } from '../helpers/aws.ts'
import { waitFor } from '../helpers/host.ts'
import { createJobId } from '../helpers/job-id.ts'
import { credential, generic } from '../helpers/pull-credentials.ts'
import { startRegistry } from '../helpers/registry.ts'
import { openGate } from '../helpers/registry-gate.ts'
import { pushImage, removeImage } from '../helpers/registry-image.ts'
import { followLog, type ServedAgent, serveAgent } from '../helpers/served-agent.ts'
import { tracesIn, tracesInFiles, tracesInProcesses, tracesOnEngine } from '../helpers/traces.ts'

const test = suite('secret traces')

const ACCOUNT = '123456789012'
const REGION = 'eu-central-1'

/** Long enough to be found in base64, too; no two tests have the same. */
const secret = (name: string) => `${name}-${randomBytes(12).toString('hex')}`

const SECRETS = {
  generic: secret('generic'),
  google: secret('google'),
  awsKey: secret('aws-key'),
  awsSession: secret('aws-session'),
  awsToken: secret('aws-token'),
}
const ALL = Object.values(SECRETS)

/** In bash alone: everything a job can see of variables and arguments. The last line is when to look. */
const SHOW_ALL = `declare -x
for f in /proc/[0-9]*/{environ,cmdline}; do mapfile -t -d '' words <$f; printf '%s\\n' "\${words[@]}"; done
echo now; read -t 60 -u 3 3<> <(:)`

async function tracesOf(served: ServedAgent, jobId: string): Promise<readonly string[]> {
  const { text } = await served.ask('GET', '/agent_logs')
  const engine = await tracesOnEngine(jobId, ALL)
  return [
    ...engine.traces,
    ...(await tracesInFiles(tmpdir(), ALL)), // home, state directory and logs among it
    ...(await tracesInFiles('/dev/shm', ALL)),
    ...tracesInProcesses(ALL),
    ...tracesIn('the log of the agent', text, ALL),
    ...tracesIn('its output', served.agent.stdout + served.agent.stderr, ALL),
  ]
}

test('what a search finds is found in any form', () => {
  const basic = Buffer.from(`AWS:${SECRETS.awsToken}`).toString('base64')

  assert.equal(tracesIn('x', `Authorization: Basic ${basic}`, ALL), [`x has ${SECRETS.awsToken}`])
  assert.equal(tracesIn('x', `a${SECRETS.google}b`, ALL), [`x has ${SECRETS.google}`])
  assert.equal(tracesIn('x', 'nothing', ALL), [])
})

test('secrets are in no log, file, argument or container, during a job and after it', async () => {
  const registry = await startRegistry({ username: 'me', password: SECRETS.generic })
  const google = await startRegistry({
    username: '_json_key',
    password: JSON.stringify({ key: SECRETS.google }),
  })
  const ecr = await startRegistry({ username: 'AWS', password: SECRETS.awsToken })
  const keys = { accessKeyId: 'AKIA1', secretAccessKey: SECRETS.awsKey }
  const aws = await startAws({
    region: REGION,
    account: { id: ACCOUNT, ...keys, sessionToken: SECRETS.awsSession },
    registries: { [ACCOUNT]: ecr },
  })
  const gate = await openGate(registry)
  const main = await pushImage(registry, 'main')
  const image = main.name.replace(registry.host, gate.host)
  const pulling = Promise.withResolvers<void>()
  gate.breakNext(/\/blobs\//, pulling.promise, 100)
  const environment = { AWS_ENDPOINT_URL: aws.url, TMPDIR: tmpdir() }
  const served = await serveAgent([], { environment })
  try {
    const id = createJobId()
    const job = {
      job_id: id,
      executor: 'dockercompose',
      compose: {
        containers: [{ name: 'main', image }],
        image_pull_credentials: [
          generic({ ...registry, host: gate.host }),
          credential(
            'GCR',
            { GCR_HOSTNAME: google.host },
            { '/tmp/gcr/keyfile.json': google.password },
          ),
          credential('AWS_ECR', {
            AWS_REGION: REGION,
            AWS_ACCESS_KEY_ID: keys.accessKeyId,
            AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
            AWS_SESSION_TOKEN: SECRETS.awsSession,
          }),
        ],
      },
      commands: [{ directive: SHOW_ALL }],
    }
    await served.ask('POST', '/jobs', { body: JSON.stringify(job) })
    const isPulling = () => gate.visits.some(({ path }) => path.includes('/blobs/'))
    await waitFor(isPulling, 'the image is pulled')
    const duringPull = await tracesOf(served, id)
    pulling.resolve()
    const logSoFar = async () => (await served.ask('GET', `/jobs/${id}/log`)).text
    await waitFor(async () => (await logSoFar()).includes('now'), 'the directive waits')
    const engine = await tracesOnEngine(id, ALL)
    const duringJob = await tracesOf(served, id)
    await served.ask('POST', '/stop')
    const log = await followLog(served, id)
    const afterwards = await tracesOf(served, id)

    assert.match(log, 'SHLVL=')
    assert.is(engine.containers, 1)
    assert.equal(duringPull, [])
    assert.equal(duringJob, [])
    assert.equal(afterwards, [])
    assert.equal(tracesIn('the log of the job', log, ALL), [])
  } finally {
    pulling.resolve()
    await served.stop()
    await Promise.all([gate.close(), aws.close(), registry.close(), google.close(), ecr.close()])
    await removeImage(image)
  }
})

test.run()
