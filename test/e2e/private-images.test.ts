/** Private images: each kind of credential against a real registry with a password. */

import * as assert from 'uvu/assert'
import { encode, type FinishedJob, runJob } from '../helpers/agent.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { type Block, blocksOf } from '../helpers/events.ts'
import { type Credential, credential, generic } from '../helpers/pull-credentials.ts'
import { type Registry, startRegistry } from '../helpers/registry.ts'
import { type Gate, openGate } from '../helpers/registry-gate.ts'
import { hasImage, type PushedImage, pushImage, removeImage } from '../helpers/registry-image.ts'

interface Context {
  one: Registry
  two: Registry
  /** In front of registry one, under a name of its own. */
  gate: Gate
  images: { one: PushedImage; two: PushedImage }
}

const KEY_FILE = '/tmp/gcr/keyfile.json'
/** Longer than what the registry's hash looks at: the gate sees it whole. */
const GOOGLE_KEY = JSON.stringify(
  { project_id: 'p', private_key: `-----BEGIN PRIVATE KEY-----\n${'k'.repeat(1_600)}\n` },
  undefined,
  2,
)

/** For an image that has nothing but bash. */
const WAIT = `bash -c 'exec 3<> <(:); read -t 60 -u 3'`

const test = engineSuite<Context>('private images')

test.before(async (t) => {
  t.one = await startRegistry({ username: '_json_key', password: GOOGLE_KEY.slice(0, 72) })
  t.two = await startRegistry({ username: 'someone', password: 'p4ss?>"$wörd' })
  t.gate = await openGate(t.one)
  t.images = { one: await pushImage(t.one, 'team/app:1.0'), two: await pushImage(t.two, 'db') }
})

test.after(async (t) => {
  await Promise.all([t.gate.close(), t.one.close(), t.two.close()])
})

test.after.each(async (t) => {
  await removeImage(t.images.one.name)
  await removeImage(t.images.two.name)
})

/** One container for each image; the first is the main one. */
async function runWith(
  credentials: readonly Credential[],
  images: readonly string[],
  environment: Record<string, string> = {},
): Promise<FinishedJob & { blocks: readonly Block[] }> {
  const containers = images.map((image, i) => ({ name: `c${i}`, image, command: WAIT }))
  const job = {
    executor: 'dockercompose',
    compose: { containers, image_pull_credentials: credentials },
    commands: [{ directive: 'echo ran' }],
  }
  const finished = await runJob(job, { environment })
  return { ...finished, blocks: blocksOf(finished.events) }
}

test('several registries in one job: each image is pulled with its own login', async (t) => {
  const throughGate = `${t.gate.host}/team/app@${t.images.one.digest}`
  const google = credential('GCR', { GCR_HOSTNAME: t.gate.host }, { [KEY_FILE]: GOOGLE_KEY })

  const { blocks, result } = await runWith(
    [google, generic(t.two)],
    [t.images.two.name, throughGate],
  )
  await removeImage(throughGate)

  assert.is(result, 'passed')
  assert.equal(blocks[0], {
    directive: 'Setting up image pull credentials',
    output: 'Setting up credentials for GCR\nSetting up credentials for Docker\n',
    exitCode: 0,
  })
  assert.is(blocks[1]?.directive, 'Pulling docker images...')
  const logins = new Set(t.gate.visits.map(({ login }) => login).filter((login) => login !== ''))
  assert.equal([...logins], [`_json_key:${GOOGLE_KEY}`])
})

test('a DockerHub credential is for the host that DOCKER_HUB_URL names', async (t) => {
  const { username, password, host } = t.two
  const hub = credential('DockerHub', {
    DOCKERHUB_USERNAME: username,
    DOCKERHUB_PASSWORD: password,
  })

  const { blocks, result } = await runWith([hub], [t.images.two.name], {
    DOCKER_HUB_URL: `http://${host}/v1/`,
  })

  assert.is(result, 'passed')
  assert.is(blocks[0]?.output, 'Setting up credentials for DockerHub\n')
})

test('without a credential for its registry an image is refused, with the reason', async (t) => {
  const { blocks, result } = await runWith([], [t.images.two.name])

  assert.is(result, 'failed')
  assert.is(blocks.at(-1)?.directive, 'Pulling docker images...')
  assert.is(blocks.at(-1)?.exitCode, 1)
  assert.match(blocks.at(-1)?.output ?? '', /no basic auth credentials|unauthorized/)
  assert.match(blocks.at(-1)?.output ?? '', 'add a login for its registry')
})

test('a wrong password fails the job before any pull, whatever the kind', async (t) => {
  const { host, username } = t.two
  const kinds = [
    generic({ host, username, password: 'Wr0ng' }),
    credential('DockerHub', { DOCKERHUB_USERNAME: username, DOCKERHUB_PASSWORD: 'Wr0ng' }),
    credential('GCR', { GCR_HOSTNAME: t.one.host }, { [KEY_FILE]: '{"private_key":"Wr0ng"}' }),
  ]
  for (const wrong of kinds) {
    const { blocks, result, stdout, stderr } = await runWith(
      [generic(t.two), wrong],
      [t.images.two.name],
      { DOCKER_HUB_URL: `http://${host}/v1/` },
    )

    assert.is(result, 'failed')
    assert.equal(
      blocks.map(({ directive, exitCode }) => [directive, exitCode]),
      [['Setting up image pull credentials', 1]],
    )
    assert.match(blocks[0]?.output ?? '', '401 Unauthorized')
    assert.match(blocks[0]?.output ?? '', 'user name and password')
    assert.not.match(stdout + stderr, 'Wr0ng')
    assert.not.ok(await hasImage(t.images.two.name))
  }
})

test('a type that is missing or unknown is told in the documented words', async (t) => {
  const say = 'Failed to resolve docker login strategy: '
  const untyped = { env_vars: [{ name: 'DOCKER_URL', value: encode('x') }] }

  const missing = await runWith([untyped], [t.images.two.name])
  const unknown = await runWith([credential('Quay')], [t.images.two.name])

  assert.is(missing.blocks[0]?.output, `${say}DOCKER_CREDENTIAL_TYPE not set\n`)
  assert.is(unknown.blocks[0]?.output, `${say}unknown DOCKER_CREDENTIAL_TYPE: 'Quay'\n`)
  for (const { blocks, result } of [missing, unknown]) {
    assert.is(result, 'failed')
    assert.is(blocks.length, 1)
    assert.is(blocks[0]?.exitCode, 1)
  }
})

test('a value that is missing or undecodable is named', async (t) => {
  const incomplete = credential('GenericDocker', { DOCKER_URL: t.two.host })
  const keyless = credential('GCR', { GCR_HOSTNAME: t.one.host })
  const broken = { env_vars: [...incomplete.env_vars, { name: 'DOCKER_USERNAME', value: '*' }] }

  const outputs = []
  for (const wrong of [incomplete, keyless, broken]) {
    const { blocks, result } = await runWith([wrong], [t.images.two.name])
    assert.is(result, 'failed')
    outputs.push(blocks[0]?.output ?? '')
  }

  assert.match(outputs[0] ?? '', 'An image pull credential lacks its variable DOCKER_USERNAME')
  assert.match(outputs[1] ?? '', `An image pull credential lacks its file ${KEY_FILE}`)
  assert.match(outputs[2] ?? '', 'The value of DOCKER_USERNAME is not base64')
})

test.run()
