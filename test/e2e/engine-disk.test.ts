/** A real engine without any room left: in a container, with a small disk of its own. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runJob } from '../helpers/agent.ts'
import { containerJob } from '../helpers/container-job.ts'
import { blocksOf } from '../helpers/events.ts'
import { callEngineAt } from '../setup/engine.ts'
import { copyImages, DOCKER, type InnerEngine, startInnerEngine } from '../setup/inner-engine.ts'
import { run } from '../setup/run.ts'

interface Context {
  directory: string
  engine: InnerEngine
}

const IMAGE = 'agent-test/bare'

const test = suite<Context>('engine disk')

const shell = (script: string) => run('sh', ['-c', script], { limitMs: 30_000 })

test.before(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'e-'))
  await shell(`mount -t tmpfs -o size=128m none ${t.directory}`)
  t.engine = await startInnerEngine(DOCKER, `agent-test-disk-${process.pid}`, t.directory)
  await copyImages(t.engine.socketPath, [IMAGE])
})

test.after(async (t) => {
  await t.engine.stop()
  await shell(`umount ${t.directory}`)
  await rm(t.directory, { recursive: true })
})

test('a disk that is full fails the job with what to do, and the next job runs when there is room', async (t) => {
  const job = containerJob({ image: IMAGE }, ['echo ran'])
  const options = { environment: { DOCKER_HOST: `unix://${t.engine.socketPath}` } }
  await shell(`dd if=/dev/zero of=${t.directory}/data/full bs=64k 2> /dev/null || true`)
  const full = await runJob(job, options)
  await rm(join(t.directory, 'data', 'full'))
  const next = await runJob(job, options)

  const [last] = blocksOf(full.events).slice(-1)
  assert.is(full.result, 'failed')
  assert.is(last?.directive, 'Starting the docker image...')
  assert.match(last?.output ?? '', 'no space left on device')
  assert.match(last?.output ?? '', 'The disk of the Docker Engine is full: free space on it')
  assert.is(next.result, 'passed')
  const { text } = await callEngineAt(t.engine.socketPath, 'GET', '/containers/json?all=true')
  assert.equal(JSON.parse(text), [])
})

test('a job that fills its container’s disk has its epilogues run, with its result', async (t) => {
  const fill = 'while builtin printf %65536s x; do :; done 2>/dev/null >/full || true'
  const job = containerJob({ image: IMAGE }, [fill], {
    epilogue_always_commands: [{ directive: 'echo "always $SEMAPHORE_JOB_RESULT"' }],
    epilogue_on_pass_commands: [{ directive: 'echo pass' }],
  })
  const { events, result } = await runJob(job, {
    environment: { DOCKER_HOST: `unix://${t.engine.socketPath}` },
  })

  const outputs = blocksOf(events).map(({ output }) => output)
  assert.is(result, 'passed')
  assert.equal(outputs.slice(-2), ['always passed\n', 'pass\n'])
})

test.run()
