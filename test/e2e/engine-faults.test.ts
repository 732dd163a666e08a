/** What becomes of a job in containers when its engine fails: through a proxy in front of the real one. */

import * as assert from 'uvu/assert'
import { type FinishedJob, runJob, startJob } from '../helpers/agent.ts'
import { containerJob, IMAGE } from '../helpers/container-job.ts'
import { engineObjects } from '../helpers/engine.ts'
import { after, breakOff, type EngineProxy, loseAnswer, refuse } from '../helpers/engine-proxy.ts'
import { proxySuite } from '../helpers/engine-suite.ts'
import { type Block, blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { createJobId } from '../helpers/job-id.ts'
import { serveAgent } from '../helpers/served-agent.ts'
import { callEngine } from '../setup/engine.ts'

const test = proxySuite('engine faults')

/** On a slow machine; it waits a minute for an engine that is to be back. */
const AT_ONCE_MS = 30_000

/** Starts sooner, but has no program besides bash. */
const BARE = 'agent-test/bare'

const jobIn = (image: string, ...directives: readonly string[]) =>
  containerJob({ image }, directives, {
    epilogue_always_commands: [{ directive: 'echo epilogue' }],
  })

const lastBlock = ({ events }: FinishedJob): Block | undefined => blocksOf(events).at(-1)

test('an engine that refuses with 500 is repeated with its reason', async ({ proxy }) => {
  proxy.on(/^POST \/containers\/create/, refuse(500, 'the disk is on fire'))

  const job = await runJob(jobIn(BARE, 'echo no'), proxy)

  const last = lastBlock(job)
  assert.is(job.result, 'failed')
  assert.is(last?.directive, 'Starting the docker image...')
  assert.is(last?.exitCode, 1)
  assert.match(
    last?.output ?? '',
    'Docker refused to create container "main" from image "agent-test/bare": the disk is on fire (HTTP 500)',
  )
})

for (const [what, call] of [
  ['a container', /^POST \/containers\/create/],
  ['a network', /^POST \/networks\/create/],
] as const) {
  test(`${what} whose creation was answered by half is removed again`, async ({ proxy }) => {
    proxy.on(call, loseAnswer)

    const job = await runJob(jobIn(BARE, 'echo no'), proxy)

    assert.is(job.result, 'failed')
    assert.match(
      lastBlock(job)?.output ?? '',
      `Docker does not answer on ${proxy.socketPath}: it closed the connection before its response was complete [ERR_DOCKER_UNREACHABLE]\n`,
    )
  })
}

test('half an answer is told as such, and nothing is waited for', async ({ proxy }) => {
  proxy.on(/^GET \/images\//, breakOff('{"Id":"sha256:'))

  const job = await runJob(jobIn(BARE, 'echo no'), proxy)

  assert.is(job.result, 'failed')
  assert.is(
    lastBlock(job)?.output,
    `Docker does not answer on ${proxy.socketPath}: it closed the connection before its response was complete [ERR_DOCKER_UNREACHABLE]
Start the Docker Engine, or set DOCKER_HOST=unix://… if its socket is elsewhere.
`,
  )
})

test('something else than an engine behind the socket is told as such', async ({ proxy }) => {
  proxy.on(/^GET \/version/, refuse(200, 'hello'))

  const job = await runJob(jobIn(BARE, 'echo no'), proxy)

  assert.is(job.result, 'failed')
  assert.match(
    lastBlock(job)?.output ?? '',
    `The service on ${proxy.socketPath} does not report a Docker API version`,
  )
})

test('a network that somebody removes before the containers start fails the job', async ({
  proxy,
}) => {
  const removeNetwork = async () => await callEngine('DELETE', `/networks/${networkOf(proxy)}`)
  proxy.on(/^POST \/containers\/[^/]+\/start/, after(removeNetwork))

  const job = await runJob(jobIn(BARE, 'echo no'), proxy)

  const last = lastBlock(job)
  assert.is(job.result, 'failed')
  assert.is(last?.directive, 'Starting the docker image...')
  assert.match(
    last?.output ?? '',
    /Failed to start the docker image\n.*network agent-\w+ not found/,
  )
})

test('an image that somebody removes before the container is created fails the job', async ({
  proxy,
}) => {
  const image = `agent-test/fleeting-${process.pid}`
  await callEngine('POST', `/images/${BARE}/tag?repo=${image}`)
  const removeImage = async () => await callEngine('DELETE', `/images/${image}`)
  proxy.on(/^POST \/containers\/create/, after(removeImage))

  const job = await runJob(jobIn(image, 'echo no'), proxy)

  assert.is(job.result, 'failed')
  assert.match(
    lastBlock(job)?.output ?? '',
    new RegExp(`Docker refused to create container "main" from image "${image}": No such image.*
The image may have been removed since it was pulled: run the job again.`),
  )
})

for (const [where, call, reason] of [
  [
    'while a container is created',
    /^POST \/containers\/create/,
    'mkdir /var/lib/docker/overlay2/ab-init: no space left on device',
  ],
  [
    'while files are written',
    /^PUT \/containers\/[^/]+\/archive/,
    'Error processing tar file(exit status 1): write /x: no space left on device',
  ],
  [
    'before a pull',
    /^POST \/images\/create/,
    'write /var/lib/docker/tmp/GetImageBlob1: no space left on device',
  ],
] as const) {
  test(`a disk that is full ${where} is told with what to do`, async ({ proxy }) => {
    proxy.on(call, refuse(500, reason))
    const image = where === 'before a pull' ? '127.0.0.1:1/not/here' : BARE

    const job = await runJob(jobIn(image, 'echo no'), proxy)

    const last = lastBlock(job)
    assert.is(job.result, 'failed')
    assert.match(last?.output ?? '', reason)
    assert.match(last?.output ?? '', 'The disk of the Docker Engine is full: free space on it')
  })
}

test('a disk that fills up in the middle of a pull is told with what to do', async ({ proxy }) => {
  const reason = 'failed to register layer: write /x: no space left on device'
  proxy.on(/^POST \/images\/create/, ({ request, response }) => {
    request.resume()
    response?.writeHead(200, { 'content-type': 'application/json' })
    response?.write('{"status":"Pulling from not/here","id":"latest"}\r\n')
    response?.end(`{"errorDetail":{"message":"${reason}"},"error":"${reason}"}\r\n`)
  })

  const job = await runJob(jobIn('127.0.0.1:1/not/here', 'echo no'), proxy)

  const last = lastBlock(job)
  assert.is(job.result, 'failed')
  assert.is(last?.directive, 'Pulling docker images...')
  assert.match(
    last?.output ?? '',
    `could not be pulled: ${reason} [ERR_IMAGE_PULL_FAILED]\nThe disk of the Docker Engine`,
  )
})

test('a container killed from outside ends its command with 137, and the epilogues run', async ({
  proxy,
}) => {
  const job = await startJob(jobIn(IMAGE, 'echo now; sleep 1000'), proxy)
  await waitFor(() => job.stdout.includes('now\\n'), 'the command runs')

  await callEngine('POST', `/containers/${proxy.mainContainer}/kill`)
  const { events, result } = await job.finished

  const [command, , epilogue] = blocksOf(events).slice(-3)
  assert.is(result, 'failed')
  assert.equal([command?.output, command?.exitCode], ['now\n', 137])
  assert.is(epilogue?.output, 'epilogue\n')
})

test('a container removed from outside fails the job, and says who may have done it', async ({
  proxy,
}) => {
  const job = await startJob(jobIn(IMAGE, 'echo now; sleep 1000'), proxy)
  await waitFor(() => job.stdout.includes('now\\n'), 'the command runs')

  await callEngine('DELETE', `/containers/${proxy.mainContainer}?force=true`)
  const finished = await job.finished

  assert.is(finished.result, 'failed')
  assert.match(
    blocksOf(finished.events)
      .map(({ output }) => output)
      .join(''),
    'Somebody else removed the container',
  )
})

for (const [what, directive, told] of [
  [
    'a command',
    'head -c 200M /dev/zero | tail -c 190M > /dev/null',
    'The main container ran out of memory (its limit: 64 MiB): the command was killed.\n',
  ],
  [
    'a shell',
    'x=$(yes | head -c 200M)',
    'The main container ran out of memory (its limit: 64 MiB): its shell was killed.\n',
  ],
] as const) {
  test(`${what} killed for want of memory is told with the limit`, async ({ proxy }) => {
    const wait = 'until [[ -e /go ]]; do sleep 0.05; done'
    const job = await startJob(jobIn(IMAGE, wait, directive), proxy)
    await waitFor(() => job.stdout.includes('"until '), 'the command runs')
    await limitMemory(proxy.mainContainer, 64)

    await putFile(proxy.mainContainer, 'go')
    const { events, result } = await job.finished

    const [command, , epilogue] = blocksOf(events).slice(-3)
    assert.is(result, 'failed')
    assert.is(command?.exitCode, 137)
    assert.match(command?.output ?? '', told)
    assert.is(epilogue?.output, 'epilogue\n')
  })
}

test('an engine that dies under a command fails the job at once, and is cleared up when it is back', async ({
  proxy,
}) => {
  const job = await startJob(jobIn(IMAGE, 'echo now; sleep 1000'), proxy)
  await waitFor(() => job.stdout.includes('now\\n'), 'the command runs')

  await proxy.die()
  await waitFor(() => job.stdout.includes('"job_finished"'), 'the job is over', AT_ONCE_MS)
  await proxy.revive()
  const finished = await job.finished

  const last = lastBlock(finished)
  assert.is(finished.result, 'failed')
  assert.is(last?.exitCode, 1)
  assert.is(
    last?.output,
    `now
Docker does not answer on ${proxy.socketPath}: connect ENOENT ${proxy.socketPath} [ERR_DOCKER_UNREACHABLE]
Start the Docker Engine, or set DOCKER_HOST=unix://… if its socket is elsewhere.
`,
  )
  assert.is(finished.stderr, '')
})

test('what an engine that stays away keeps is named, with how to remove it', async ({ proxy }) => {
  const job = await startJob(jobIn(IMAGE, 'echo now; sleep 1000'), proxy)
  await waitFor(() => job.stdout.includes('now\\n'), 'the command runs')

  await proxy.die()
  await waitFor(() => job.stdout.includes('"job_finished"'), 'the job is over', AT_ONCE_MS)
  job.signal('SIGINT') // else it waits a minute for the engine
  await waitFor(() => job.stderr.includes('Ctrl-C again'), 'the first signal was heard')
  job.signal('SIGINT')
  const { result, stderr } = await job.finished

  const container = proxy.mainContainer
  const network = networkOf(proxy)
  assert.is(result, 'failed')
  assert.match(stderr, `still there: ${container}, ${network} [ERR_CLEANUP_FAILED]`)
  assert.match(stderr, `docker rm --force --volumes ${container} && docker network rm ${network}`)
  await callEngine('DELETE', `/containers/${container}?force=true&v=true`)
  await callEngine('DELETE', `/networks/${network}`)
})

test('what an engine kept while it was away is removed by the next start of agent serve', async ({
  before,
  proxy,
}) => {
  const served = await serveAgent([], proxy)
  const id = createJobId()
  const body = JSON.stringify({ ...jobIn(IMAGE, 'echo now; sleep 1000'), job_id: id })
  await served.ask('POST', '/jobs', { body })
  const log = async () => (await served.ask('GET', `/jobs/${id}/log`)).text
  await waitFor(async () => (await log()).includes('now\\n'), 'the command runs')

  await proxy.die()
  await waitFor(async () => (await log()).includes('"job_finished"'), 'the job is over', AT_ONCE_MS)
  const next = await served.killAndRestart()
  assert.not.equal(await engineObjects(), before)
  await proxy.revive()

  const isClean = async () => JSON.stringify(await engineObjects()) === JSON.stringify(before)
  await waitFor(isClean, 'nothing is left')
  await next.stop()
})

test.run()

/** Containers are named after it. */
function networkOf({ mainContainer }: EngineProxy): string {
  return mainContainer.split('-', 2).join('-')
}

async function limitMemory(container: string, megabytes: number): Promise<void> {
  const bytes = megabytes * 2 ** 20
  const body = { Memory: bytes, MemorySwap: bytes }
  const { status, text } = await callEngine('POST', `/containers/${container}/update`, body)
  assert.is(status, 200, text)
}

async function putFile(container: string, path: string): Promise<void> {
  const { text } = await callEngine('POST', `/containers/${container}/exec`, {
    Cmd: ['bash', '-c', `: > /${path}`],
  })
  const { Id } = JSON.parse(text) as { Id: string }
  await callEngine('POST', `/exec/${Id}/start`, { Detach: true })
}
