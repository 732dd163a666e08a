import { PassThrough } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { enterContainer } from '../../../lib/access/enter-container.ts'
import { DockerClient } from '../../../lib/docker/client.ts'
import { ContainerError, DockerRefusedError } from '../../../lib/errors.ts'
import { type FakeDaemon, fakeDaemon, rejection } from '../docker/fake-daemon.ts'

interface Context {
  daemon: FakeDaemon
  docker: DockerClient
}

const test = suite<Context>('access: enter a container')
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

function enter({ docker }: Context): Promise<number> {
  return enterContainer(docker, {
    containerId: 'c1',
    shell: 'bash',
    command: [],
    term: undefined,
    standard: { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() },
    signal: AbortSignal.timeout(10_000),
  })
}

test.run()
