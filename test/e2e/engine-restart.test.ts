/** A real engine that dies under a job and comes back: in a container, where nobody else uses it. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startJob } from '../helpers/agent.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { callEngineAt } from '../setup/engine.ts'
import { copyImages, DOCKER, type InnerEngine, startInnerEngine } from '../setup/inner-engine.ts'

interface Context {
  directory: string
  engine: InnerEngine
}

const test = suite<Context>('engine restart')

/** In bash alone: the image has nothing else. */
const WAIT = 'exec 3<> <(:); read -t 1000 -u 3'

test.before(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'e-'))
  t.engine = await startInnerEngine(DOCKER, `agent-test-restart-${process.pid}`, t.directory)
  await copyImages(t.engine.socketPath, ['agent-test/bare'])
})

test.after(async (t) => {
  await t.engine.stop()
  await rm(t.directory, { recursive: true, force: true })
})

test('an engine that crashes under a job fails it, and has nothing of it left when it is back', async ({
  engine,
}) => {
  const { socketPath } = engine
  const job = await startJob(
    {
      executor: 'dockercompose',
      compose: {
        containers: [
          { name: 'main', image: 'agent-test/bare' },
          {
            name: 'db',
            image: 'agent-test/bare',
            command: `bash -c '${WAIT}'`,
          },
        ],
      },
      commands: [{ directive: `echo now; ${WAIT}` }],
      epilogue_always_commands: [{ directive: 'echo no' }],
    },
    { environment: { DOCKER_HOST: `unix://${socketPath}` } },
  )
  await waitFor(() => job.stdout.includes('now\\n'), 'the command runs')

  await engine.crash()
  const { events, result, stderr } = await job.finished

  const { exitCode, output = '' } =
    blocksOf(events).find(({ directive }) => directive.startsWith('echo now')) ?? {}
  assert.is(result, 'failed')
  // On a busy machine the engine may be back before it is missed: with its containers killed.
  if (exitCode !== 137) {
    assert.is(exitCode, 1)
    assert.match(output, /^now\n./)
  }
  assert.is(stderr, '')
  assert.equal(await namesOf(socketPath, '/containers/json?all=true'), [])
  assert.equal(await namesOf(socketPath, '/networks'), ['bridge', 'host', 'none'])
})

test.run()

async function namesOf(socketPath: string, path: string): Promise<string[]> {
  const { text } = await callEngineAt(socketPath, 'GET', path)
  const found = JSON.parse(text) as { Name?: string; Names?: string[] }[]
  return found.flatMap(({ Name, Names }) => Names ?? Name ?? []).sort()
}
