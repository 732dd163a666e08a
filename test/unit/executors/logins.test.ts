/** Which login the engine is asked to check, and which goes along with which pull. */

import type { IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DockerClient } from '../../../lib/docker/client.ts'
import type { RegistryLogin } from '../../../lib/docker/images.ts'
import { setUpCredentials } from '../../../lib/executors/container/images/credentials.ts'
import { ensureImages } from '../../../lib/executors/container/images/pull.ts'
import { type FakeDaemon, fakeDaemon } from '../docker/fake-daemon.ts'

interface Context {
  daemon: FakeDaemon
  docker: DockerClient
}

const test = suite<Context>('executors: logins')

test.before.each(async (t) => {
  t.daemon = await fakeDaemon()
  t.docker = new DockerClient(t.daemon.socketPath)
})

test.after.each(async (t) => {
  await t.docker.close()
  await t.daemon.close()
})

const OPTIONS = {
  signal: new AbortController().signal,
  onOutput: () => undefined,
  stallTimeoutMs: 10_000,
}

const credential = (variables: Readonly<Record<string, string>>) => ({
  envVars: Object.entries(variables).map(([name, value]) => ({
    name,
    value: Buffer.from(value).toString('base64'),
  })),
  files: [],
})

const HUB = credential({
  DOCKER_CREDENTIAL_TYPE: 'DockerHub',
  DOCKERHUB_USERNAME: 'hub',
  DOCKERHUB_PASSWORD: 'secret\n', // as `echo secret | base64` has it
})

const generic = (url: string, username: string) =>
  credential({
    DOCKER_CREDENTIAL_TYPE: 'GenericDocker',
    DOCKER_URL: url,
    DOCKER_USERNAME: username,
    DOCKER_PASSWORD: 'secret',
  })

/** @returns what the engine was asked to check */
async function logIn(
  { daemon, docker }: Context,
  credentials: Parameters<typeof setUpCredentials>[1],
): Promise<{ checked: unknown[]; logins: RegistryLogin[] }> {
  const checked: unknown[] = []
  const logins: RegistryLogin[] = []
  daemon.handle('POST /auth', async (request, response) => {
    checked.push(await json(request))
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  const exitCode = await setUpCredentials(docker, credentials, logins, {
    addSecret: () => undefined,
    ...OPTIONS,
    environment: {},
  })
  assert.is(exitCode, 0)
  return { checked, logins }
}

test('Docker Hub is asked by the address engines know it by', async (t) => {
  const { checked } = await logIn(t, [HUB])

  assert.equal(checked, [
    { username: 'hub', password: 'secret', serveraddress: 'https://index.docker.io/v1/' },
  ])
})

test('a login in the address of a registry is left out of it', async (t) => {
  const { checked, logins } = await logIn(t, [generic('https://me:pass@r.example.com/a', 'user')])

  const address = 'https://r.example.com/a'
  assert.equal(checked, [{ username: 'user', password: 'secret', serveraddress: address }])
  assert.is(logins[0]?.registry, 'r.example.com')
})

test('each pull gets the login of its registry, of two the later one, or none', async (t) => {
  const { logins } = await logIn(t, [
    HUB,
    generic('https://R.example.com:5000/', 'early'),
    generic('r.example.com:5000', 'late'),
  ])
  const images = ['team/app', 'r.example.com:5000/app', 'other.example.com/app']

  assert.equal(await usersOf(t, images, logins), ['hub', 'late', ''])
})

test('of several for parts of a registry the closest one counts, else the last', async (t) => {
  const { logins } = await logIn(t, [
    generic('r.example.com/a', 'a'),
    generic('https://r.example.com/a/b/', 'ab'),
    generic('r.example.com/v2/', 'all'),
    generic('r.example.com/c', 'c'),
  ])
  const paths = ['a/x', 'a/b/x', 'ab/x', 'c/x', 'a/b', 'a']
  const images = paths.map((path) => `r.example.com/${path}`)

  assert.equal(await usersOf(t, images, logins), ['a', 'ab', 'all', 'c', 'ab', 'a'])
  assert.equal(await usersOf(t, ['r.example.com/z'], logins.slice(0, 2)), ['ab'])
})

/** Whose login goes along with the pull of each image; empty = nobody's. */
async function usersOf(
  { daemon, docker }: Context,
  images: readonly string[],
  logins: readonly RegistryLogin[],
): Promise<string[]> {
  const users = new Map<string, string>()
  for (const image of images) {
    const path = image.split('/').map(encodeURIComponent).join('/')
    daemon.handle(`GET /images/${path}/json`, (_request, response) => {
      response.writeHead(users.has(image) ? 200 : 404, { 'content-type': 'application/json' })
      response.end(users.has(image) ? '{"Id":"x"}' : '{"message":"No such image"}')
    })
    const query = new URLSearchParams({ fromImage: image, tag: 'latest' })
    daemon.handle(`POST /images/create?${query}`, (request, response) => {
      users.set(image, userOf(request))
      response.end()
    })
  }
  const wanted = images.map((image) => ({ image, pullPolicy: 'if-not-present' as const }))
  await ensureImages(docker, wanted, { ...OPTIONS, logins })
  return images.map((image) => users.get(image) ?? 'not pulled')
}

function userOf({ headers }: IncomingMessage): string {
  const header = headers['x-registry-auth']
  if (typeof header !== 'string') return ''
  const login = JSON.parse(Buffer.from(header, 'base64url').toString()) as { username: string }
  return login.username
}

test.run()
