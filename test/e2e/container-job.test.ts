/** A job's life in containers: its blocks, services, files, faults, its end and its leftovers. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encode, runJob, startJob } from '../helpers/agent.ts'
import { type EngineObjects, engineObjects } from '../helpers/engine.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'

interface Context {
  before: EngineObjects
}

const test = suite<Context>('container job')

test.before.each(async (t) => {
  t.before = await engineObjects()
})

test.after.each(async (t) => {
  assert.equal(await engineObjects(), t.before)
})

const IMAGE = 'agent-test/debian'

const jobIn = (containers: readonly object[], rest: object) => ({
  executor: 'dockercompose',
  compose: { containers },
  ...rest,
})

const main = (rest: object = {}) => ({ name: 'main', image: IMAGE, ...rest })

test('the blocks of a job come in the order of the contract', async () => {
  const { events, result } = await runJob(
    jobIn([main()], {
      commands: [{ directive: 'X=1' }, { directive: 'echo "$X $PWD"; (exit 5)' }],
      epilogue_on_fail_commands: [{ directive: 'echo "$SEMAPHORE_JOB_RESULT"' }],
    }),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'failed')
  assert.equal(
    blocks.map(({ directive, exitCode }) => [directive, exitCode]),
    [
      ['Pulling docker images...', 0],
      ['Starting the docker image...', 0],
      ['Exporting environment variables', 0],
      ['Injecting Files', 0],
      ['X=1', 0],
      ['echo "$X $PWD"; (exit 5)', 5],
      ['Exporting environment variables', 0],
      ['echo "$SEMAPHORE_JOB_RESULT"', 0],
    ],
  )
  assert.ok(blocks[1]?.output.startsWith('Starting a new bash session.\n'))
  assert.is(blocks[5]?.output, '1 /root\n')
  assert.is(blocks[7]?.output, 'failed\n')
})

test('services are reached by their names, from the main container and from each other', async () => {
  const service = { image: IMAGE, command: `bash -c "getent hosts other > /dev/null; sleep 1000"` }
  const { events, result } = await runJob(
    jobIn([main(), { name: 'db', ...service }, { name: 'other', ...service }], {
      commands: [{ directive: 'getent hosts db other main | wc -l' }],
    }),
  )

  assert.is(result, 'passed')
  assert.is(blocksOf(events)[4]?.output, '3\n')
})

test('user, variables and entrypoint of the main container apply', async () => {
  const { events, result } = await runJob(
    jobIn(
      [
        main({
          user: 'nobody',
          entrypoint: `bash -c 'export FROM_ENTRYPOINT="a b"; exec "$@"' entry`,
          env_vars: [{ name: 'FROM_CONTAINER', value: encode('c d') }],
        }),
      ],
      { commands: [{ directive: 'id -un; echo "$FROM_ENTRYPOINT $FROM_CONTAINER"' }] },
    ),
  )

  assert.is(result, 'passed')
  assert.is(blocksOf(events)[4]?.output, 'nobody\na b c d\n')
})

test('variables and files arrive whole, owned by the job’s user', async () => {
  const odd = 'it\'s "q" $HOME `x` \\ \n\ttwo lines'
  const { events, result } = await runJob(
    jobIn([main({ user: '1234:1235' })], {
      env_vars: [{ name: 'ODD', value: encode(odd) }],
      files: [
        { path: '/tmp/a b/secret', content: encode('one\n'), mode: '0600' },
        { path: '/tmp/run.sh', content: encode('#!/bin/sh\necho ran\n'), mode: '+x' },
      ],
      commands: [
        { directive: `printf %s "$ODD"` },
        { directive: `/tmp/run.sh; cat "/tmp/a b/secret"; stat -c '%u:%g %a' "/tmp/a b/secret"` },
      ],
    }),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'passed')
  assert.is(blocks[4]?.output, odd)
  assert.is(blocks[5]?.output, 'ran\none\n1234:1235 600\n')
})

test('a bad file mode fails the block, and no command runs', async () => {
  const { events, result } = await runJob(
    jobIn([main()], {
      files: [{ path: 'x', content: encode('x'), mode: 'sideways' }],
      commands: [{ directive: 'echo no' }],
    }),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'failed')
  assert.is(
    blocks[3]?.output,
    'Injecting x with file mode sideways\nFailed to set file mode to sideways\n',
  )
  assert.not.ok(blocks.some(({ directive }) => directive === 'echo no'))
})

test('epilogues run in a fresh shell when the first one died, files and variables kept', async () => {
  const { events, result } = await runJob(
    jobIn([main()], {
      env_vars: [{ name: 'A', value: encode('kept') }],
      commands: [{ directive: 'LOCAL=1; echo file > /tmp/file; exit 3' }],
      epilogue_always_commands: [{ directive: 'echo "$A [$LOCAL] $(cat /tmp/file)"' }],
    }),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'failed')
  assert.is(blocks[4]?.exitCode, 3)
  assert.is(blocks.at(-1)?.output, 'kept [] file\n')
})

test('no engine is told with its socket, and fails the job at once', async () => {
  const { events, result } = await runJob(
    jobIn([main()], { commands: [{ directive: 'echo no' }] }),
    { environment: { DOCKER_HOST: 'unix:///nowhere/docker.sock' } },
  )

  const [block] = blocksOf(events)
  assert.is(result, 'failed')
  assert.is(block?.exitCode, 1)
  assert.match(block?.output ?? '', 'Docker does not answer on /nowhere/docker.sock')
})

test('a stop during a command ends its block with 1 and leaves nothing', async () => {
  const job = await startJob(
    jobIn([main(), { name: 'db', image: IMAGE, command: 'sleep 1000' }], {
      commands: [{ directive: 'echo now; sleep 1000; echo no' }],
      epilogue_always_commands: [{ directive: 'echo no' }],
    }),
  )
  await waitFor(() => job.stdout.includes('now\\n'), 'the command runs')

  job.signal('SIGTERM')
  const { code, events, result } = await job.finished

  const last = blocksOf(events).at(-1)
  assert.is(code, 130)
  assert.is(result, 'stopped')
  assert.is(last?.exitCode, 1)
  assert.not.ok(last?.output.includes('no\n'))
})

test('a stop while containers are starting leaves nothing', async () => {
  const job = await startJob(
    jobIn([main({ entrypoint: `bash -c 'sleep 1000' entry` })], {
      commands: [{ directive: 'echo no' }],
    }),
  )
  await waitFor(() => job.stdout.includes('Starting a new bash session'), 'containers start')

  job.signal('SIGINT')
  const { code, result } = await job.finished

  assert.is(code, 130)
  assert.is(result, 'stopped')
})

test('the main container has the engine’s socket', async () => {
  const { events } = await runJob(
    jobIn([main()], { commands: [{ directive: '[ -S /var/run/docker.sock ] && echo socket' }] }),
  )

  assert.is(blocksOf(events)[4]?.output, 'socket\n')
})

test.run()
