import type { IncomingMessage } from 'node:http'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Call, DockerClient } from '../../../lib/docker/client.ts'
import {
  DockerRefusedError,
  DockerUnreachableError,
  DockerVersionError,
} from '../../../lib/errors.ts'
import { collect, type FakeDaemon, fakeDaemon, rejection } from './fake-daemon.ts'

interface Context {
  daemon: FakeDaemon
  docker: DockerClient
}

const CALL: Call = { action: 'do it', method: 'POST', path: '/it', ok: [200] }

const test = suite<Context>('docker: client')

test.before.each(async (t) => {
  t.daemon = await fakeDaemon()
  t.docker = new DockerClient(t.daemon.socketPath)
})

test.after.each(async (t) => {
  await t.docker.close()
  await t.daemon.close()
})

test('a call is made under the version both sides speak, asked for once', async ({
  daemon,
  docker,
}) => {
  daemon.answer('POST /it?a=1&b=x%26y', 200, { Id: 'abc' })
  const query = { a: 1, b: 'x&y' }

  const replies = await Promise.all([
    docker.call<{ Id: string }>({ ...CALL, query }),
    docker.call<{ Id: string }>({ ...CALL, query }),
  ])

  assert.equal(
    replies.map(({ value }) => value),
    [{ Id: 'abc' }, { Id: 'abc' }],
  )
  assert.equal(daemon.calls.filter((call) => call === 'GET /version').length, 1)
  assert.equal(daemon.versions.filter(Boolean), ['1.41', '1.41'])
})

test("a refusal has the engine's own reason, and the hint for its status", async ({
  daemon,
  docker,
}) => {
  daemon.answer('POST /it', 409, { message: 'it is in use' })

  const error = await rejection(docker.call({ ...CALL, hints: { 409: 'Wait.' } }))

  assert.instance(error, DockerRefusedError)
  assert.is(error.message, 'Docker refused to do it: it is in use (HTTP 409)')
  assert.is((error as DockerRefusedError).reason, 'it is in use')
  assert.is((error as DockerRefusedError).hint, 'Wait.')
})

test('a refusal in plain text is a reason as well', async ({ daemon, docker }) => {
  daemon.handle('POST /it', (_request, response) => response.writeHead(502).end('bad gateway\n'))

  const error = await rejection(docker.call(CALL))

  assert.is(error.message, 'Docker refused to do it: bad gateway (HTTP 502)')
})

test('a silent socket is reported with its path, and keeps the cause', async ({
  daemon,
  docker,
}) => {
  await daemon.close()

  const error = await rejection(docker.call(CALL))

  assert.instance(error, DockerUnreachableError)
  assert.match(error.message, daemon.socketPath)
  assert.is((error.cause as NodeJS.ErrnoException).code, 'ENOENT')
})

test('an engine that accepts and never answers is unreachable after the limit', async ({
  daemon,
  docker,
}) => {
  daemon.handle('POST /it', () => undefined)

  const error = await rejection(docker.call({ ...CALL, timeoutMs: 100 }))

  assert.instance(error, DockerUnreachableError)
})

test('half an answer is no answer', async ({ daemon, docker }) => {
  daemon.handle('POST /it', (_request, response) => {
    response.writeHead(200, { 'content-length': 100 })
    response.write('{"Id"')
    setImmediate(() => response.destroy())
  })

  const error = await rejection(docker.call(CALL))

  assert.instance(error, DockerUnreachableError)
})

test('a call that only reads is made again when its connection is cut, once', async ({
  daemon,
  docker,
}) => {
  const call = { ...CALL, method: 'GET' } as const
  daemon.handle('GET /it', (request) => {
    request.socket.destroy()
    daemon.answer('GET /it', 200, { Id: 'abc' })
  })
  const cutAlways = (request: IncomingMessage) => request.socket.destroy()
  daemon.handle('GET /cut', cutAlways)
  daemon.handle('POST /it', cutAlways)

  const { value } = await docker.call(call)
  const errors = [
    await rejection(docker.call({ ...call, path: '/cut' })),
    await rejection(docker.call(CALL)),
  ]

  assert.equal(value, { Id: 'abc' })
  for (const error of errors) assert.instance(error, DockerUnreachableError)
  const made = daemon.calls.filter((text) => text !== 'GET /version')
  assert.equal(made, ['GET /it', 'GET /it', 'GET /cut', 'GET /cut', 'POST /it'])
})

test('a stream that stalls is given up, one that is cut is told', async ({ daemon, docker }) => {
  daemon.handle('POST /it', (_request, response) => response.writeHead(200).write('a'))
  daemon.handle('POST /cut', (_request, response) => {
    response.writeHead(200).write('a', () => response.destroy())
  })

  for (const path of ['/it', '/cut']) {
    const chunks = await docker.stream({ ...CALL, path, stallMs: 100 })
    const error = await rejection(collect(chunks))

    assert.instance(error, DockerUnreachableError)
  }
})

test("the caller's abort stays an abort, before, during and inside a stream", async ({
  daemon,
  docker,
}) => {
  daemon.handle('POST /never', () => stop.abort(new Error('stop requested')))
  daemon.handle('POST /it', (_request, response) => response.writeHead(200).write('a'))
  const stop = new AbortController()
  const midway = new AbortController()
  const chunks = await docker.stream({ ...CALL, signal: midway.signal })
  midway.abort(new Error('stop requested'))

  const errors = await Promise.all([
    rejection(docker.call({ ...CALL, path: '/never', signal: stop.signal })),
    rejection(collect(chunks)),
    rejection(docker.call({ ...CALL, signal: AbortSignal.abort(new Error('stop requested')) })),
  ])

  assert.equal(
    errors.map(({ message }) => message),
    ['stop requested', 'stop requested', 'stop requested'],
  )
})

test('an upgraded connection carries bytes both ways', async ({ daemon, docker }) => {
  daemon.onUpgrade((socket) => {
    socket.write('hello ')
    socket.on('data', (bytes) => socket.end(`you said ${bytes}`))
  })

  const stream = await docker.upgrade({ ...CALL, ok: [101] })
  stream.write('hi')
  const said = Buffer.concat(await collect(stream)).toString()

  assert.is(said, 'hello you said hi')
})

test('a piece of a body is left alone until the next one is asked for', async ({
  daemon,
  docker,
}) => {
  const sizes = [65_536, 3_000_000, 65_536, 200_000, 1_000_000]
  const counts = sizes.map(() => 0)
  daemon.handle('POST /it', async (request, response) => {
    for await (const chunk of request) {
      for (const index of chunk as Buffer) counts[index] = (counts[index] ?? 0) + 1
    }
    response.end('{}')
  })
  const body = async function* () {
    const room = Buffer.alloc(Math.max(...sizes))
    for (const [index, size] of sizes.entries()) yield room.fill(index).subarray(0, size)
  }

  await docker.call({ ...CALL, body: body() })

  assert.equal(counts, sizes)
})

test('a refusal that comes before the end of a body has its reason, and ends the body', async ({
  daemon,
  docker,
}) => {
  daemon.answer('POST /it', 500, { message: 'it is read-only' })
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  const body = async function* () {
    try {
      for (;;) yield Buffer.alloc(100_000)
    } finally {
      resolve()
    }
  }

  const error = await rejection(docker.call({ ...CALL, body: body() }))

  assert.is(error.message, 'Docker refused to do it: it is read-only (HTTP 500)')
  await ended
})

test('a body that fails fails its call', async ({ docker }) => {
  const body = async function* () {
    yield Buffer.alloc(100_000)
    throw new Error('the disk is gone')
  }

  const error = await rejection(docker.call({ ...CALL, body: body() }))

  assert.is((error.cause as Error).message, 'the disk is gone')
})

test('a refused upgrade has its reason', async ({ daemon, docker }) => {
  daemon.answer('POST /it', 404)

  const error = await rejection(docker.upgrade({ ...CALL, ok: [101] }))

  assert.is(error.message, 'Docker refused to do it: no such (HTTP 404)')
})

test('an upgrade ends with the abort of its caller', async ({ docker }) => {
  const error = await rejection(
    docker.upgrade({ ...CALL, ok: [101], signal: AbortSignal.abort(new Error('stop')) }),
  )

  assert.is(error.message, 'stop')
})

test('an engine without a common version is refused; asked again, it may have changed', async () => {
  const daemon = await fakeDaemon({ ApiVersion: '1.40', MinAPIVersion: '1.12' })
  const docker = new DockerClient(daemon.socketPath)
  try {
    const error = await rejection(docker.call(CALL))
    daemon.answer('GET /version', 200, { ApiVersion: '1.52', MinAPIVersion: '1.44' })
    daemon.answer('POST /it', 200, {})
    await docker.call(CALL)

    assert.instance(error, DockerVersionError)
    assert.match(error.message, 'speaks API 1.40, the agent needs 1.41 or newer')
    assert.is(daemon.versions.at(-1), '1.51')
  } finally {
    await docker.close()
    await daemon.close()
  }
})

test.run()
