/** Each line of the agent's own is an event of its own: clients compare events one by one (see lib/events/README.md). */

import * as assert from 'uvu/assert'
import type { JobEvent } from '../../lib/events/event.ts'
import { encode, runJob } from '../helpers/agent.ts'
import { containerJob } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'

const test = engineSuite("the agent's own lines")

/** A title opens a block, a number closes it, what is between are its outputs. */
function sequenceOf(events: readonly JobEvent[]): (number | string)[] {
  return events.flatMap((event): (number | string)[] => {
    if (event.event === 'cmd_started') return [`# ${event.directive}`]
    if (event.event === 'cmd_output') return [event.output]
    return event.event === 'cmd_finished' ? [event.exit_code] : []
  })
}

const executors = {
  shell: { job: (rest: Record<string, unknown>) => rest, started: [] },
  dockercompose: {
    job: ({
      commands = [],
      ...rest
    }: {
      commands?: readonly object[]
      [key: string]: unknown
    }) => ({
      ...containerJob({}, [], {
        services: [{ name: 'idle', image: 'agent-test/debian', command: 'sleep 1000' }],
        ...rest,
      }),
      commands,
    }),
    started: [
      ...['# Pulling docker images...', 0],
      ...['# Starting the docker image...', 'Starting a new bash session.\n', 0],
    ],
  },
} as const

const EXPORT = '# Exporting environment variables'

for (const [name, { job, started }] of Object.entries(executors)) {
  test(`${name}: variables, files and an alias are told one by one, apart from output`, async () => {
    const { events } = await runJob(
      job({
        env_vars: [
          { name: 'B', value: encode('2') },
          { name: 'A', value: encode('1') },
        ],
        files: ['one', 'two'].map((path) => ({ path, content: encode('x'), mode: '0600' })),
        commands: [{ directive: 'echo first\necho second', alias: 'both' }],
      }),
    )

    assert.equal(sequenceOf(events), [
      ...started,
      ...[EXPORT, 'Exporting A\n', 'Exporting B\n', 0],
      '# Injecting Files',
      'Injecting one with file mode 0600\n',
      ...['Injecting two with file mode 0600\n', 0],
      ...['# both', 'Running: echo first\necho second\n', 'first\nsecond\n', 0],
      ...[EXPORT, 'Exporting SEMAPHORE_JOB_RESULT\n', 0],
    ])
  })

  test(`${name}: a bad file mode is told apart from the file`, async () => {
    const { events } = await runJob(
      job({ files: [{ path: 'one', content: encode('x'), mode: 'nonsense' }] }),
    )

    assert.equal(sequenceOf(events).slice(started.length), [
      ...[EXPORT, 0],
      '# Injecting Files',
      'Injecting one with file mode nonsense\n',
      ...['Failed to set file mode to nonsense\n', 1],
      ...[EXPORT, 'Exporting SEMAPHORE_JOB_RESULT\n', 0],
    ])
  })

  test(`${name}: what is wrong with a variable and what to do are a line each`, async () => {
    const { events } = await runJob(job({ env_vars: [{ name: 'A', value: '?' }] }))

    const [title, exporting, problem, hint, exitCode] = sequenceOf(events).slice(started.length)
    assert.equal([title, exporting, exitCode], [EXPORT, 'Exporting A\n', 1])
    assert.match(String(problem), /^The value of A is not base64: [^\n]+\n$/)
    assert.match(String(hint), /^Encode it [^\n]+\n$/)
  })
}

test('dockercompose: that the image cannot be started and why are a line each', async () => {
  const { events } = await runJob(containerJob({ user: 'nosuch' }, ['echo no']))

  const sequence = sequenceOf(events)
  assert.is(sequence.at(-3), 'Failed to start the docker image\n')
  assert.match(String(sequence.at(-2)), /^[^\n]*nosuch[^\n]*\n$/)
  assert.is(sequence.at(-1), 1)
})

test('dockercompose: credentials are told one by one', async () => {
  const credential = (type: string) => ({
    env_vars: [{ name: 'DOCKER_CREDENTIAL_TYPE', value: encode(type) }],
  })
  const { events } = await runJob(
    containerJob({}, [], { compose: { image_pull_credentials: [credential('nonsense')] } }),
  )

  assert.equal(sequenceOf(events), [
    '# Setting up image pull credentials',
    "Failed to resolve docker login strategy: unknown DOCKER_CREDENTIAL_TYPE: 'nonsense'\n",
    1,
  ])
})

test.run()
