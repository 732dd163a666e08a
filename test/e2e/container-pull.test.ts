/** Pulls that the engine itself does not bring to an end. What registries do is in pull.test.ts. */

import * as assert from 'uvu/assert'
import { runJob, startJob } from '../helpers/agent.ts'
import { containerJob } from '../helpers/container-job.ts'
import { proxySuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'

const test = proxySuite('container pull')

const ABSENT = '127.0.0.1:1/not/here:1'

const job = containerJob({ image: ABSENT }, ['echo no'], {
  epilogue_always_commands: [{ directive: 'echo no' }],
})

test('a stop before the engine answers to a pull ends it', async ({ proxy }) => {
  const asked = Promise.withResolvers<void>()
  proxy.on(/^POST \/images\/create/, ({ request }) => {
    request.resume()
    asked.resolve()
  })
  const running = await startJob(job, proxy)
  await asked.promise

  running.signal('SIGTERM')
  const { code, events, result } = await running.finished

  assert.is(code, 130)
  assert.is(result, 'stopped')
  assert.equal(
    blocksOf(events).map(({ exitCode }) => exitCode),
    [1],
  )
})

test('a pull to which the engine does not answer takes no longer than the job may', async ({
  proxy,
}) => {
  proxy.on(/^POST \/images\/create/, ({ request }) => void request.resume())

  const { code, events, result } = await runJob({ ...job, timeout_in_seconds: 6 }, proxy)

  const [pull, limit] = blocksOf(events)
  assert.is(code, 1)
  assert.is(result, 'failed')
  assert.is(pull?.exitCode, 1)
  assert.match(limit?.output ?? '', /limit of 6 s\.\nRunning for [\d.]+ s: Pulling docker images/)
  assert.is(blocksOf(events).length, 2)
})

for (const [what, stream, told] of [
  [
    'an error in the engine’s stream',
    '{"status":"Pulling from not/here","id":"1"}\r\n{"errorDetail":{"message":"archive/tar: invalid tar header"},"error":"archive/tar: invalid tar header"}\r\n',
    `Image "${ABSENT}" could not be pulled: archive/tar: invalid tar header`,
  ],
  [
    'a stream that ends before the image is there',
    '{"status":"Pulling from not/here","id":"1"}\r\n',
    `Image "${ABSENT}" disappeared right after it was pulled`,
  ],
  [
    'a stream that ends in the middle of a message',
    '{"status":"Pulling from not/here","id":"1"}\r\n{"status":"Down',
    'the response was incomplete',
  ],
] as const) {
  test(`${what} fails the pull, and is told`, async ({ proxy }) => {
    proxy.on(/^POST \/images\/create/, ({ request, response }) => {
      request.resume()
      response?.writeHead(200, { 'content-type': 'application/json' }).end(stream)
    })
    const running = await startJob(job, proxy)

    const { events, result } = await running.finished

    const [pulling, ...others] = blocksOf(events)
    assert.is(result, 'failed')
    assert.is(pulling?.exitCode, 1)
    assert.match(pulling?.output ?? '', told)
    assert.equal(others, [])
  })
}

test('a connection that is cut in the middle of a pull fails it, and is told', async ({
  proxy,
}) => {
  proxy.on(/^POST \/images\/create/, ({ request, response, socket }) => {
    request.resume()
    response?.writeHead(200, { 'content-type': 'application/json' })
    response?.write('{"status":"Pulling from not/here","id":"1"}\r\n', () => socket.destroy())
  })
  const running = await startJob(job, proxy)

  const { events, result } = await running.finished

  const [pulling] = blocksOf(events)
  assert.is(result, 'failed')
  assert.match(pulling?.output ?? '', 'it closed the connection before its response was complete')
})

test.run()
