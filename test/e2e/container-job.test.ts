/** A job's life in containers: its blocks, services, files, faults, its end and its leftovers. */

import * as assert from 'uvu/assert'
import { encode, runJob, startJob } from '../helpers/agent.ts'
import { containerJob, FIRST, IMAGE } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'

const test = engineSuite('container job')

test('the blocks of a job come in their documented order', async () => {
  const { events, result } = await runJob(
    containerJob({}, ['X=1', 'echo "$X $PWD"; (exit 5)'], {
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
  assert.is(blocks[FIRST + 1]?.output, '1 /root\n')
  assert.is(blocks[7]?.output, 'failed\n')
})

test('services are reached by their names, from the main container and from each other', async () => {
  const service = { image: IMAGE, command: `bash -c "getent hosts other > /dev/null; sleep 1000"` }
  const { events, result } = await runJob(
    containerJob({}, ['getent hosts db other main | wc -l'], {
      services: [
        { name: 'db', ...service },
        { name: 'other', ...service },
      ],
    }),
  )

  assert.is(result, 'passed')
  assert.is(blocksOf(events)[FIRST]?.output, '3\n')
})

test('user, variables and entrypoint of the main container apply', async () => {
  const { events, result } = await runJob(
    containerJob(
      {
        user: 'nobody',
        entrypoint: `bash -c 'export FROM_ENTRYPOINT="a b"; exec "$@"' entry`,
        env_vars: [{ name: 'FROM_CONTAINER', value: encode('c d') }],
      },
      ['id -un; echo "$FROM_ENTRYPOINT $FROM_CONTAINER"'],
    ),
  )

  assert.is(result, 'passed')
  assert.is(blocksOf(events)[FIRST]?.output, 'nobody\na b c d\n')
})

test('variables and files arrive whole, owned by the job’s user', async () => {
  const odd = 'it\'s "q" $HOME `x` \\ \n\ttwo lines'
  const { events, result } = await runJob(
    containerJob(
      { user: '1234:1235' },
      [
        `printf %s "$ODD"`,
        `/tmp/run.sh; cat "/tmp/a b/secret"; stat -c '%u:%g %a' "/tmp/a b/secret"`,
      ],
      {
        env_vars: [{ name: 'ODD', value: encode(odd) }],
        files: [
          { path: '/tmp/a b/secret', content: encode('one\n'), mode: '0600' },
          { path: '/tmp/run.sh', content: encode('#!/bin/sh\necho ran\n'), mode: '+x' },
        ],
      },
    ),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'passed')
  assert.is(blocks[FIRST]?.output, odd)
  assert.is(blocks[FIRST + 1]?.output, 'ran\none\n1234:1235 600\n')
})

test('a bad file mode fails the block, and no command runs', async () => {
  const { events, result } = await runJob(
    containerJob({}, ['echo no'], {
      files: [{ path: 'x', content: encode('x'), mode: 'sideways' }],
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
    containerJob({}, ['LOCAL=1; echo file > /tmp/file; exit 3'], {
      env_vars: [{ name: 'A', value: encode('kept') }],
      epilogue_always_commands: [{ directive: 'echo "$A [$LOCAL] $(cat /tmp/file)"' }],
    }),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'failed')
  assert.is(blocks[FIRST]?.exitCode, 3)
  assert.is(blocks.at(-1)?.output, 'kept [] file\n')
})

test('no engine is told with its socket, and fails the job at once', async () => {
  const { events, result } = await runJob(containerJob({}, ['echo no']), {
    environment: { DOCKER_HOST: 'unix:///nowhere/docker.sock' },
  })

  const [block] = blocksOf(events)
  assert.is(result, 'failed')
  assert.is(block?.exitCode, 1)
  assert.match(block?.output ?? '', 'Docker does not answer on /nowhere/docker.sock')
})

test('a stop during a command ends its block with 1 and leaves nothing', async () => {
  const job = await startJob(
    containerJob({}, ['echo now; sleep 1000; echo no'], {
      services: [{ name: 'db', image: IMAGE, command: 'sleep 1000' }],
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
    containerJob({ entrypoint: `bash -c 'sleep 1000' entry` }, ['echo no']),
  )
  await waitFor(() => job.stdout.includes('Starting a new bash session'), 'containers start')

  job.signal('SIGINT')
  const { code, result, stderr } = await job.finished

  assert.is(code, 130)
  assert.is(result, 'stopped')
  assert.not.match(stderr, 'error')
})

test('the main container has the engine’s socket', async () => {
  const { events } = await runJob(containerJob({}, ['[ -S /var/run/docker.sock ] && echo socket']))

  assert.is(blocksOf(events)[FIRST]?.output, 'socket\n')
})

test.run()
