/** The store in S3 against a server: what is kept, what is refused, and bad networks. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { S3Settings } from '../../lib/cache/s3/settings.ts'
import { S3Store } from '../../lib/cache/s3/store.ts'
import { CacheError } from '../../lib/errors.ts'
import { createArchive, sha256Of } from '../helpers/archives.ts'
import { type CuttingProxy, startCuttingProxy } from '../helpers/cutting-proxy.ts'
import { freePort } from '../helpers/free-port.ts'
import { rejection } from '../helpers/rejection.ts'
import { type S3Server, startS3Server } from '../helpers/s3-server.ts'

interface Context {
  server: S3Server
  proxy: CuttingProxy
  /** Over the proxy, in a project of its own. */
  store: S3Store
  project: string
  open(settings?: Partial<S3Settings>): S3Store
}

const test = suite<Context>('S3 store')

const MIB = 1_048_576
const never = new AbortController().signal
let projects = 0

test.before(async (t) => {
  t.server = await startS3Server()
})

test.before.each(async (t) => {
  const { server } = t
  const proxy = await startCuttingProxy(server.port)
  const project = `project-${++projects}`
  const settings: S3Settings = {
    project,
    bucket: server.bucket,
    endpoint: `http://127.0.0.1:${proxy.port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: server.key, secretAccessKey: server.secret },
    proxies: {},
  }
  t.open = (other = {}) => new S3Store({ ...settings, ...other })
  Object.assign(t, { proxy, project, store: t.open() })
})

test.after.each(async (t) => {
  await t.store.close()
  await t.proxy.close()
})

test.after(async (t) => {
  await t.server.close()
})

async function unfinishedUploads({ server, project }: Context): Promise<number> {
  const query = { Bucket: server.bucket, Prefix: `${project}/` }
  const { Uploads = [] } = await server.client.send(new ListMultipartUploadsCommand(query))
  return Uploads.length
}

test('an archive comes back as it was stored, in one part or in several', async (t) => {
  for (const bytes of [0, 1, 5 * MIB, 8 * MIB, 8 * MIB + 1, 16 * MIB, 50 * MIB]) {
    const archive = createArchive(bytes)

    assert.is(await t.store.store(`key-${bytes}`, archive.read(), never), bytes)
    const opened = await t.store.open(`key-${bytes}`, never)
    assert.is(opened?.bytes, bytes)
    assert.is(await sha256Of(opened?.archive), archive.sha256)
  }
  assert.is(await unfinishedUploads(t), 0)
})

test('keys keep their characters, and a key is not its beginning', async (t) => {
  const keys = ['a b+c', '100%', 'ünï-€', 'q?x=1&y#z', "it's <x>", '.hidden', '..', 'k', 'k-2']
  for (const key of keys) await t.store.store(key, createArchive(10).read(), never)

  const listed = await t.store.list(never)
  assert.equal(listed.map(({ key }) => key).sort(), [...keys].sort())
  for (const key of keys) assert.ok(await t.store.has(key, never), key)
  assert.not(await t.store.has('a b', never))
  assert.not(await t.store.has('k-', never))
  assert.is(await t.store.open('k-', never), undefined)

  await t.store.delete('k', never)
  await t.store.delete('k', never)
  assert.not(await t.store.has('k', never))
  assert.ok(await t.store.has('k-2', never))
})

test('projects in one bucket do not see each other', async (t) => {
  const other = t.open({ project: `${t.project}-2` })
  await t.store.store('mine', createArchive(10).read(), never)
  await other.store('other', createArchive(20).read(), never)

  assert.equal(await t.store.usage(never), { usedBytes: 10 })
  await t.store.clear(never)
  assert.equal(await t.store.list(never), [])
  assert.ok(await other.has('other', never))
  await other.close()
})

test('more keys than one page holds are all listed, the newest first', async (t) => {
  const put = (key: string) =>
    t.server.client.send(
      new PutObjectCommand({ Bucket: t.server.bucket, Key: `${t.project}/${key}`, Body: 'x' }),
    )
  for (let first = 0; first < 1_020; first += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, index) => put(`key-${first + index}`)))
  }
  const keys = await t.store.list(never)

  assert.is(keys.length, 1_020)
  const times = keys.map(({ storedAt }) => storedAt)
  assert.equal(
    times,
    [...times].sort((a, b) => b - a),
  )
  assert.ok(Math.abs(Date.now() - (times[0] ?? 0)) < 600_000)
})

test('a key that is there already is not replaced, whenever it appeared', async (t) => {
  for (const bytes of [10, 40 * MIB]) {
    const key = `key-${bytes}`
    const target = { Bucket: t.server.bucket, Key: `${t.project}/${key}` }
    const archive = (async function* () {
      yield* createArchive(bytes).read()
      await t.server.client.send(
        new PutObjectCommand({ ...target, Body: 'another agent was faster' }),
      )
    })()

    assert.is(await t.store.store(key, archive, never), undefined)
    assert.is((await t.store.open(key, never))?.bytes, 'another agent was faster'.length)
  }
  assert.is(await unfinishedUploads(t), 0)
})

test('of many stores of one key at once exactly one wins', async (t) => {
  const sizes = Array.from({ length: 8 }, (_, index) => index + 1)
  const results = await Promise.all(
    sizes.map((bytes) => t.store.store('key', createArchive(bytes).read(), never)),
  )

  const winners = results.filter((bytes) => bytes !== undefined)
  assert.is(winners.length, 1)
  assert.is((await t.store.open('key', never))?.bytes, winners[0])
})

test('connections cut while uploading are made again, and nothing is missing', async (t) => {
  const archive = createArchive(50 * MIB)
  t.proxy.cutNext(3 * MIB, 20 * MIB, 500_000, 7 * MIB)

  assert.is(await t.store.store('key', archive.read(), never), archive.bytes)
  assert.ok(t.proxy.connections > 4, `${t.proxy.connections} connections`)
  assert.is(await sha256Of((await t.store.open('key', never))?.archive), archive.sha256)
})

test('connections cut while downloading go on where they were', async (t) => {
  const archive = createArchive(20 * MIB)
  await t.store.store('key', archive.read(), never)
  const reader = t.open()
  // Who begins anew each time never gets beyond the first 6 MiB.
  t.proxy.cutNext(100, ...new Array(30).fill(6 * MIB))

  assert.is(await sha256Of((await reader.open('key', never))?.archive), archive.sha256)
  await reader.close()
})

test('when only the answer got lost, the archive is stored and the store says so', async (t) => {
  t.proxy.dropAnswers(1)

  assert.is(await t.store.store('key', createArchive(1_000).read(), never), 1_000)
})

test('a network that stays away ends the store and the restore with an error', async (t) => {
  await t.store.store('key', createArchive(20 * MIB).read(), never)
  const archive = (async function* () {
    yield* createArchive(40 * MIB).read()
    t.proxy.down(true)
  })()
  const storing = await rejection(t.store.store('other', archive, never))

  assert.instance(storing, CacheError)
  assert.match(storing.message, /^S3 at http:\/\/127\.0\.0\.1:\d+ cannot be reached: /)
  t.proxy.down(false)
  const opened = await t.store.open('key', never)
  const reading = await rejection(
    (async () => {
      for await (const chunk of opened?.archive ?? []) if (chunk.length > 0) t.proxy.down(true)
    })(),
  )
  assert.instance(reading, CacheError)
  assert.match(reading.message, /cannot be reached/)
})

test('a store that is stopped or whose archive fails leaves nothing behind', async (t) => {
  const stop = new AbortController()
  const endless = (async function* () {
    for (let count = 0; ; count++) {
      if (count === 200) stop.abort(new Error('stopped'))
      yield Buffer.alloc(MIB / 4)
    }
  })()
  const failing = (async function* () {
    yield* createArchive(40 * MIB).read()
    throw new Error('the tree changed')
  })()

  assert.is((await rejection(t.store.store('a', endless, stop.signal))).message, 'stopped')
  assert.is((await rejection(t.store.store('b', failing, never))).message, 'the tree changed')
  assert.is(await unfinishedUploads(t), 0)
  assert.equal(await t.store.list(never), [])
})

test('parts that a killed store left behind are removed by the next', async (t) => {
  const Key = `${t.project}/killed`
  await t.server.client.send(new CreateMultipartUploadCommand({ Bucket: t.server.bucket, Key }))
  assert.is(await unfinishedUploads(t), 1)

  await t.store.store('key', createArchive(20 * MIB).read(), never)

  assert.is(await unfinishedUploads(t), 0)
})

test('what is wrong with bucket, credentials and address is said, and what to do', async (t) => {
  const wrongSecret = { accessKeyId: t.server.key, secretAccessKey: 'hunter2hunter2' }
  const wrongKey = { accessKeyId: 'AKIANOBODY', secretAccessKey: 'hunter2hunter2' }
  const cases: Array<[Partial<S3Settings>, RegExp, string]> = [
    [{ bucket: 'missing' }, /'missing': NoSuchBucket/, 'SEMAPHORE_CACHE_S3_BUCKET'],
    [{ credentials: wrongSecret }, /SignatureDoesNotMatch/, 'SEMAPHORE_CACHE_S3_SECRET'],
    [{ credentials: wrongKey }, /InvalidAccessKeyId/, 'SEMAPHORE_CACHE_S3_KEY'],
    [
      { endpoint: `http://127.0.0.1:${await freePort()}` },
      /cannot be reached: .*ECONNREFUSED/,
      'SEMAPHORE_CACHE_S3_URL',
    ],
  ]
  for (const [settings, message, hint] of cases) {
    const store = t.open(settings)
    for (const call of [
      () => store.has('key', never),
      () => store.open('key', never),
      () => store.store('key', createArchive(10).read(), never),
    ]) {
      const error = await rejection(call())
      assert.instance(error, CacheError)
      assert.match(error.message, message)
      assert.ok((error as CacheError).hint.includes(hint), (error as CacheError).hint)
      assert.not.match(error.message, /hunter2/)
    }
    await store.close()
  }
})

/** Moto, our server, is never full and never silent. */
async function startBadServer(answer: (request: IncomingMessage, reply: ServerResponse) => void) {
  const server = createServer((request, reply) => {
    request.resume()
    answer(request, reply)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const xml = (name: string, content: string) => `<?xml version="1.0"?><${name}>${content}</${name}>`

test('a server whose disk is full is said to be so, and left without parts', async (t) => {
  const removed: string[] = []
  const server = await startBadServer(({ method, url = '' }, reply) => {
    if (method === 'DELETE') removed.push(url)
    if (method === 'POST') {
      return void reply.end(xml('InitiateMultipartUploadResult', '<UploadId>u1</UploadId>'))
    }
    if (method !== 'PUT') return void reply.end(xml('ListMultipartUploadsResult', ''))
    reply.statusCode = 507
    reply.end(xml('Error', '<Code>XMinioStorageFull</Code><Message>No drive space</Message>'))
  })
  const store = t.open({ endpoint: server.endpoint })

  for (const bytes of [10, 40 * MIB]) {
    const error = await rejection(store.store('key', createArchive(bytes).read(), never))
    assert.instance(error, CacheError)
    assert.match(error.message, /XMinioStorageFull: No drive space \(HTTP 507\)$/)
    assert.match((error as CacheError).hint, /give the server more room/)
  }
  assert.is(removed.length, 1)
  assert.match(removed[0] ?? '', 'uploadId=u1')
  await store.close()
  await server.close()
})

test('a server that never answers is given up, whatever it is asked for', async (t) => {
  const server = await startBadServer(() => undefined)
  const store = t.open({ endpoint: server.endpoint, answerTimeoutMs: 50 })

  const calls = [
    store.has('key', never),
    store.list(never),
    store.open('key', never),
    store.delete('key', never),
  ]
  for (const error of await Promise.all(calls.map((call) => rejection(call)))) {
    assert.instance(error, CacheError)
    assert.match(error.message, /^S3 at http:\/\/127\.0\.0\.1:\d+ cannot be reached: .*50 ms/)
  }
  await store.close()
  await server.close()
})

test('a restore that is stopped does not wait for a server that has fallen silent', async (t) => {
  const server = await startBadServer((_request, reply) => {
    reply.writeHead(200, { 'content-length': 1_000 })
    reply.write('x')
  })
  const store = t.open({ endpoint: server.endpoint })
  const stop = new AbortController()
  const { archive } = (await store.open('key', stop.signal)) ?? {}
  const chunks = archive?.[Symbol.asyncIterator]()
  await chunks?.next()
  const waiting = rejection(Promise.resolve(chunks?.next()))

  stop.abort(new Error('stopped'))

  assert.is((await waiting).message, 'stopped')
  await store.close()
  await server.close()
})

test.run()
