import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DockerClient } from '../../../lib/docker/client.ts'
import { inspectImage, pullImage, verifyLogin } from '../../../lib/docker/images.ts'
import { parseReference } from '../../../lib/docker/reference.ts'
import { DockerUnreachableError, ImagePullError } from '../../../lib/errors.ts'
import { collect, type FakeDaemon, fakeDaemon, rejection } from './fake-daemon.ts'

interface Context {
  daemon: FakeDaemon
  docker: DockerClient
}

const LOGIN = {
  registry: 'r:5000',
  path: '',
  address: 'http://r:5000',
  username: 'me',
  password: 'pass?>wörd',
}
const PULL = 'POST /images/create?fromImage=r%3A5000%2Fapp&tag=1'
const app = parseReference('r:5000/app:1')
const { signal } = new AbortController()

const test = suite<Context>('docker: images')

test.before.each(async (t) => {
  t.daemon = await fakeDaemon()
  t.docker = new DockerClient(t.daemon.socketPath)
})

test.after.each(async (t) => {
  await t.docker.close()
  await t.daemon.close()
})

test('an image that is not there is undefined, not an error', async ({ daemon, docker }) => {
  daemon.answer('GET /images/r%3A5000/app%3A1/json', 404, { message: 'No such image' })

  assert.is(await inspectImage(docker, app), undefined)
})

test('an image tells its user, its entrypoint, its health check and its TCP ports', async ({
  daemon,
  docker,
}) => {
  const route = 'GET /images/r%3A5000/app%3A1/json'
  const ports = { '80/tcp': {}, '53/udp': {}, '8080/tcp': {} }
  const config = { User: 'me', Entrypoint: ['/e'], ExposedPorts: ports }
  const kind = { Os: 'linux', Architecture: 'arm', Variant: 'v7' }
  daemon.answer(route, 200, { Id: 'x', ...kind, Config: config })
  const plain = await inspectImage(docker, app)
  daemon.answer(route, 200, { Id: 'x', Config: { Healthcheck: { Test: ['CMD', 'true'] } } })
  const checked = await inspectImage(docker, app)
  daemon.answer(route, 200, { Id: 'x', Config: { Healthcheck: { Test: ['NONE'] } } })
  const unchecked = await inspectImage(docker, app)
  const line = { Healthcheck: { Test: ['CMD-SHELL', 'a | b'] } }
  daemon.answer(route, 200, { Id: 'x', Config: line })
  const inShell = await inspectImage(docker, app)
  daemon.answer(route, 200, { Id: 'x', Config: { ...line, Shell: ['bash', '-c'] } })
  const inOther = await inspectImage(docker, app)

  assert.equal(plain, {
    id: 'x',
    platform: 'linux/arm/v7',
    user: 'me',
    entrypoint: ['/e'],
    healthCheck: undefined,
    exposedPorts: [80, 8080],
    digest: undefined,
    variables: [],
  })
  assert.equal(checked?.healthCheck, ['true'])
  assert.equal(checked?.exposedPorts, [])
  assert.is(unchecked?.healthCheck, undefined)
  assert.equal(inShell?.healthCheck, ['/bin/sh', '-c', 'a | b'])
  assert.equal(inOther?.healthCheck, ['bash', '-c', 'a | b'])
})

test("a pull's messages are read line by line, however they are cut", async ({
  daemon,
  docker,
}) => {
  const messages = [{ status: 'Pulling from app', id: '1' }, { status: 'Digest: sha256:ä' }]
  const bytes = Buffer.from(messages.map((message) => `${JSON.stringify(message)}\r\n`).join(''))
  daemon.handle(PULL, async (_request, response) => {
    response.writeHead(200)
    for (const byte of bytes) {
      response.write(Buffer.from([byte]))
      await new Promise(setImmediate)
    }
    response.end()
  })

  assert.equal(await collect(pullImage(docker, app, { signal })), messages)
})

test('a pull that fails later has the reason of the engine', async ({ daemon, docker }) => {
  daemon.handle(PULL, (_request, response) => {
    response.end('{"status":"Downloading"}\n{"errorDetail":{"message":"x"},"error":"no space"}\n')
  })

  const error = await rejection(collect(pullImage(docker, app, { signal })))

  assert.instance(error, ImagePullError)
  assert.is(error.message, 'Image "r:5000/app:1" could not be pulled: no space')
  assert.is((error as ImagePullError).transient, false)
})

test('a pull that broke off for want of the registry may pass another time', async ({
  daemon,
  docker,
}) => {
  daemon.handle(PULL, (_request, response) => void response.end('{"error":"unexpected EOF"}\n'))

  const error = await rejection(collect(pullImage(docker, app, { signal })))

  assert.instance(error, ImagePullError)
  assert.is((error as ImagePullError).transient, true)
})

test('a pull cut in the middle of a message is the end of the engine', async ({
  daemon,
  docker,
}) => {
  daemon.handle(PULL, (_request, response) => void response.end('{"status":"Downl'))

  const error = await rejection(collect(pullImage(docker, app, { signal })))

  assert.instance(error, DockerUnreachableError)
})

test('a login goes along with the pull, in the alphabet the engine reads', async ({
  daemon,
  docker,
}) => {
  let header = ''
  daemon.handle(PULL, (request, response) => {
    header = String(request.headers['x-registry-auth'])
    response.end()
  })

  await collect(pullImage(docker, app, { login: LOGIN, signal }))

  assert.match(header, /^[A-Za-z0-9_-]+=*$/)
  assert.is(header.length % 4, 0)
  assert.equal(JSON.parse(Buffer.from(header, 'base64url').toString()), {
    username: 'me',
    password: 'pass?>wörd',
    serveraddress: 'http://r:5000',
  })
})

test('a login is verified; a refused one never shows its password', async ({ daemon, docker }) => {
  daemon.answer('POST /auth', 200, { IdentityToken: 'token' })
  const verified = await verifyLogin(docker, LOGIN, signal)
  daemon.answer('POST /auth', 401, { message: 'unauthorized' })
  const error = await rejection(verifyLogin(docker, LOGIN, signal))

  assert.is(verified.identityToken, 'token')
  assert.is(error.message, 'Docker refused to log in to r:5000 as "me": unauthorized (HTTP 401)')
})

test.run()
