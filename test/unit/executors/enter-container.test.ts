import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DockerClient } from '../../../lib/docker/client.ts'
import { ContainerError, DockerRefusedError } from '../../../lib/errors.ts'
import { enterContainer } from '../../../lib/executors/container/enter-container.ts'
import type { Standard } from '../../../lib/executors/kind.ts'
import { type FakeDaemon, fakeDaemon, rejection } from '../docker/fake-daemon.ts'

interface Context {
  daemon: FakeDaemon
  docker: DockerClient
}

const test = suite<Context>('executors: enter a container')
const LISTING = `GET /containers/json?filters=${encodeURIComponent('{"id":["c1"]}')}`

test.before.each(async (t) => {
  t.daemon = await fakeDaemon()
  t.docker = new DockerClient(t.daemon.socketPath)
  t.daemon.answer('POST /containers/c1/exec', 409, { message: 'no exec in it' })
})

test.after.each(async ({ daemon, docker }) => {
  await docker.close()
  await daemon.close()
})

test('a container that has just ended is gone, whatever the engine says of it', async (t) => {
  t.daemon.answer(LISTING, 200, [])

  const error = await rejection(enter(t))

  assert.instance(error, ContainerError)
  assert.is(error.message, 'The container is gone')
  assert.instance(error.cause, DockerRefusedError)
})

test('of one that runs the engine is right, e.g. that it is paused', async (t) => {
  t.daemon.answer(LISTING, 200, [{ Id: 'c1' }])

  const error = await rejection(enter(t))

  assert.instance(error, DockerRefusedError)
  assert.match(error.message, 'no exec in it')
})

test('an engine that is slow to know the program is told the size of the terminal in the end', async (t) => {
  t.daemon.answer('POST /containers/c1/exec', 201, { Id: 'e1' })
  t.daemon.answer('GET /exec/e1/json', 200, { Running: false, ExitCode: 7 })
  let asked = 0
  t.daemon.handle('POST /exec/e1/resize?h=45&w=123', (_request, response) => {
    const isKnown = ++asked > 40
    response.writeHead(isKnown ? 200 : 404).end('{}')
    if (isKnown) program?.end()
  })
  let program: Socket | undefined
  t.daemon.onUpgrade((socket) => {
    program = socket
  })

  const terminal = { columns: 123, rows: 45, isTTY: true as const }
  const stdin = Object.assign(new PassThrough(), { isTTY: true as const })
  const code = await enter(t, { stdin, stdout: Object.assign(new PassThrough(), terminal) })

  assert.is(code, 7)
})

function enter({ docker }: Context, own: Partial<Standard> = {}): Promise<number> {
  return enterContainer(docker, {
    containerId: 'c1',
    shell: 'bash',
    command: [],
    term: undefined,
    standard: {
      stdin: new PassThrough(),
      stdout: new PassThrough(),
      stderr: new PassThrough(),
      ...own,
    },
    signal: AbortSignal.timeout(10_000),
  })
}

test.run()
