/** Images of AWS ECR: the login is asked for natively, at an endpoint that checks each signature. */

import * as assert from 'uvu/assert'
import { type FinishedJob, runJob } from '../helpers/agent.ts'
import { type Aws, type AwsOptions, startAws } from '../helpers/aws.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { type Block, blocksOf } from '../helpers/events.ts'
import { credential } from '../helpers/pull-credentials.ts'
import { type Registry, startRegistry } from '../helpers/registry.ts'
import { hasImage, type PushedImage, pushImage, removeImage } from '../helpers/registry-image.ts'

interface Context {
  own: Registry
  foreign: Registry
  images: { own: PushedImage; foreign: PushedImage }
  servers: Aws[]
}

const OWN = '123456789012'
const FOREIGN = '210987654321'
const REGION = 'eu-central-1'
const KEYS = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 's3cr3t/+of=AWS' }
const SESSION = 'FwoGZXIvYXdzE/+session=='

const VARIABLES = {
  AWS_REGION: REGION,
  AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
}

const MINUTE_MS = 60_000

const test = engineSuite<Context>('ECR images')

test.before(async (t) => {
  t.own = await startRegistry({ username: 'AWS', password: 'token:of-the-own' })
  t.foreign = await startRegistry({ username: 'AWS', password: 'token:of-the-other' })
  t.images = { own: await pushImage(t.own, 'app'), foreign: await pushImage(t.foreign, 'app') }
})

test.after(async (t) => {
  await Promise.all([t.own.close(), t.foreign.close()])
})

test.before.each(async (t) => {
  t.servers = []
})

test.after.each(async (t) => {
  await Promise.all(t.servers.map((server) => server.close()))
  await removeImage(t.images.own.name)
  await removeImage(t.images.foreign.name)
})

async function startServer(t: Context, options: Partial<AwsOptions> = {}): Promise<Aws> {
  const registries = { [OWN]: t.own, [FOREIGN]: t.foreign }
  const account = { id: OWN, ...KEYS }
  const server = await startAws({ region: REGION, account, registries, ...options })
  t.servers.push(server)
  return server
}

async function pullAs(
  aws: Aws,
  { name }: PushedImage,
  variables: Readonly<Record<string, string>> = {},
): Promise<FinishedJob & { blocks: readonly Block[] }> {
  const login = credential('AWS_ECR', { ...VARIABLES, ...variables })
  const job = {
    executor: 'dockercompose',
    compose: { containers: [{ name: 'main', image: name }], image_pull_credentials: [login] },
  }
  const finished = await runJob(job, { environment: { AWS_ENDPOINT_URL: aws.url } })
  return { ...finished, blocks: blocksOf(finished.events) }
}

/** @returns the output of the one block there is: nothing was pulled */
async function refusalOf(
  aws: Aws,
  image: PushedImage,
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { blocks, result, stdout, stderr } = await pullAs(aws, image, variables)
  assert.is(result, 'failed')
  assert.equal(
    blocks.map(({ directive, exitCode }) => [directive, exitCode]),
    [['Setting up image pull credentials', 1]],
  )
  assert.not.match(stdout + stderr, KEYS.secretAccessKey)
  assert.not.match(stdout + stderr, SESSION)
  assert.not.ok(await hasImage(image.name))
  return blocks[0]?.output ?? ''
}

test('the account is asked of STS, the token of ECR, and the image pulled with it', async (t) => {
  const aws = await startServer(t)

  const { blocks, result } = await pullAs(aws, t.images.own)

  assert.is(result, 'passed')
  assert.is(blocks[0]?.output, 'Setting up credentials for ECR\n')
  assert.equal(aws.granted, ['GetCallerIdentity', 'GetAuthorizationToken'])
  assert.ok(await hasImage(t.images.own.name))
})

test("another account's registry is asked for by its number, without STS", async (t) => {
  const aws = await startServer(t)

  const { result } = await pullAs(aws, t.images.foreign, { AWS_ACCOUNT_ID: FOREIGN })

  assert.is(result, 'passed')
  assert.equal(aws.granted, ['GetAuthorizationToken'])
})

test('temporary keys work with their session token, and not without', async (t) => {
  const account = { id: OWN, ...KEYS, sessionToken: SESSION }
  const aws = await startServer(t, { account })

  const { result } = await pullAs(aws, t.images.own, { AWS_SESSION_TOKEN: SESSION })
  await removeImage(t.images.own.name)
  const refusal = await refusalOf(aws, t.images.own)

  assert.is(result, 'passed')
  assert.match(refusal, 'The security token included in the request is invalid.')
  assert.match(refusal, 'AWS_SESSION_TOKEN')
})

test('wrong keys fail before any pull, and say which to check', async (t) => {
  const account = { id: OWN, ...KEYS, sessionToken: SESSION }
  const aws = await startServer(t, { account })
  const wrong = { AWS_SESSION_TOKEN: SESSION, AWS_ACCOUNT_ID: OWN }

  const id = await refusalOf(aws, t.images.own, { ...wrong, AWS_ACCESS_KEY_ID: 'AKIAOTHER' })
  const secret = await refusalOf(aws, t.images.own, { ...wrong, AWS_SECRET_ACCESS_KEY: 'guess' })

  assert.match(id, 'Check AWS_ACCESS_KEY_ID')
  assert.match(secret, 'does not match the signature you provided. (HTTP 400)')
  assert.match(secret, 'Check AWS_SECRET_ACCESS_KEY')
  assert.equal(aws.granted, [])
})

test('a wrong region is named, by AWS and by what to check', async (t) => {
  const aws = await startServer(t)

  const refusal = await refusalOf(aws, t.images.own, { AWS_REGION: 'us-east-1' })
  const nonsense = await refusalOf(aws, t.images.own, { AWS_REGION: 'x.example.com/' })

  assert.match(refusal, 'in us-east-1')
  assert.match(refusal, 'Credential should be scoped to a valid region')
  assert.match(refusal, 'that AWS_REGION is the one of the registry')
  assert.match(nonsense, 'AWS_REGION of an image pull credential is not a region')
})

test('a clock that is wrong is told with its error and the cure', async (t) => {
  const ahead = await startServer(t, { clockMs: -23 * MINUTE_MS })
  const behind = await startServer(t, { clockMs: 8 * MINUTE_MS })

  assert.match(
    await refusalOf(ahead, t.images.own, { AWS_ACCOUNT_ID: OWN }),
    'The clock of this host is 23 minutes ahead of that of AWS',
  )
  const refusal = await refusalOf(behind, t.images.own)
  assert.match(refusal, 'The clock of this host is 8 minutes behind that of AWS')
  assert.match(refusal, 'Set the clock')
})

test('a registry that refuses the token ends the job before the pull', async (t) => {
  const wrong = { ...t.own, password: 'token:of-yesterday' }
  const aws = await startServer(t, { registries: { [OWN]: wrong } })

  const refusal = await refusalOf(aws, t.images.own)

  assert.match(refusal, '401 Unauthorized')
})

test.run()
