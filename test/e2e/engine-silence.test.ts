/** How long an engine that says nothing is waited for. The jobs run side by side: they wait, most of the time. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type FinishedJob, startJob } from '../helpers/agent.ts'
import { type EngineObjects, engineObjects } from '../helpers/engine.ts'
import { type EngineProxy, neverAnswer, startEngineProxy } from '../helpers/engine-proxy.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { callEngine } from '../setup/engine.ts'

type Job = Awaited<ReturnType<typeof startJob>>

interface Case {
  readonly proxy: EngineProxy
  readonly job: Job
}

interface Context {
  before: EngineObjects
  silentFromTheStart: Promise<Case>
  silentUnderCommand: Promise<Case>
  silentOnCreate: Promise<Case>
  cutTerminal: Promise<Case>
  stoppedTwice: Promise<Case>
}

const test = suite<Context>('engine silence')

const EVERYTHING = /./

test.before(async (t) => {
  t.before = await engineObjects()
  t.silentFromTheStart = start((proxy) => proxy.on(EVERYTHING, neverAnswer))
  t.silentOnCreate = start((proxy) => proxy.on(/^POST \/containers\/create/, neverAnswer))
  t.silentUnderCommand = startCommand(({ proxy }) => proxy.on(EVERYTHING, neverAnswer))
  t.stoppedTwice = startCommand(({ proxy }) => proxy.on(EVERYTHING, neverAnswer))
  let cut = () => {}
  t.cutTerminal = startCommand(
    () => cut(),
    (proxy) =>
      proxy.on(/\/attach/, ({ socket, pass }) => {
        cut = () => void socket.destroy()
        pass()
      }),
  )
})

test.after(async (t) => {
  assert.equal(await engineObjects(), t.before)
})

test('a socket that takes the call and never answers is given 10 s', async (t) => {
  const { proxy, job } = await t.silentFromTheStart

  const finished = await end({ proxy, job })

  assert.is(finished.result, 'failed')
  assert.is(
    blocksOf(finished.events)[0]?.output,
    `Docker does not answer on ${proxy.socketPath}: no answer within 10 s [ERR_DOCKER_UNREACHABLE]
Start the Docker Engine, or set DOCKER_HOST=unix://… if its socket is elsewhere.
`,
  )
  assert.is(finished.stderr, '')
})

test('a stop does not wait for a container that is never made', async (t) => {
  const { proxy, job } = await t.silentOnCreate
  await waitFor(() => job.stdout.includes('Starting a new bash'), 'containers start')

  job.signal('SIGTERM')
  const finished = await end({ proxy, job })

  assert.is(finished.code, 130)
  assert.is(finished.result, 'stopped')
  assert.is(blocksOf(finished.events).at(-1)?.exitCode, 1)
})

test('a second signal does not wait for an engine that hangs, and names what it keeps', async (t) => {
  const { proxy, job } = await t.stoppedTwice

  job.signal('SIGTERM')
  await waitFor(() => job.stderr.includes('Ctrl-C again'), 'the first signal was heard')
  job.signal('SIGTERM')
  const { code, result, stderr } = await end({ proxy, job })

  const container = proxy.mainContainer
  const network = container.split('-', 2).join('-')
  await callEngine('DELETE', `/containers/${container}?force=true&v=true`)
  await callEngine('DELETE', `/networks/${network}`)
  assert.is(code, 130)
  assert.is(result, 'stopped')
  assert.match(stderr, `docker rm --force --volumes ${container} && docker network rm ${network}`)
})

test('a terminal that is cut while its container runs on fails the job', async (t) => {
  const finished = await end(await t.cutTerminal)

  assert.is(finished.result, 'failed')
  assert.is(
    blocksOf(finished.events).at(-1)?.output,
    `now
The engine closed the terminal of a container that is still running [ERR_CONTAINER_FAILED]
See the log of the Docker Engine: it may have been restarted during the job.
`,
  )
})

test('an engine that hangs under a silent command fails the job within a minute', async (t) => {
  const { proxy, job } = await t.silentUnderCommand
  await waitFor(() => job.stdout.includes('"job_finished"'), 'the job is over')

  await proxy.die() // as it is when an engine that hangs is restarted
  proxy.heal()
  await proxy.revive()
  const finished = await end({ proxy, job })

  assert.is(finished.result, 'failed')
  assert.is(
    blocksOf(finished.events).at(-1)?.output,
    `now
Docker does not answer on ${proxy.socketPath}: no answer within 30 s [ERR_DOCKER_UNREACHABLE]
Start the Docker Engine, or set DOCKER_HOST=unix://… if its socket is elsewhere.
`,
  )
})

test.run()

async function start(prepare: (proxy: EngineProxy) => void): Promise<Case> {
  const proxy = await startEngineProxy()
  prepare(proxy)
  const job = await startJob(
    {
      executor: 'dockercompose',
      compose: { containers: [{ name: 'main', image: 'agent-test/debian' }] },
      commands: [{ directive: 'echo now; sleep 1000' }],
    },
    { ...proxy, args: ['--stop-grace-period', '500ms'] },
  )
  return { proxy, job }
}

/** The fault comes once the command runs. */
async function startCommand(
  fault: (running: Case) => void,
  prepare: (proxy: EngineProxy) => void = () => {},
): Promise<Case> {
  const running = await start(prepare)
  await waitFor(() => running.job.stdout.includes('now\\n'), 'the command runs')
  fault(running)
  return running
}

async function end({ proxy, job }: Case): Promise<FinishedJob> {
  const finished = await job.finished
  await proxy.close()
  return finished
}
