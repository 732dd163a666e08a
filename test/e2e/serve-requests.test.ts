/** What control planes send, on the binary: absent fields as null, older names, ids of any kind. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encode } from '../helpers/agent.ts'
import { blocksOf } from '../helpers/events.ts'
import {
  eventsIn,
  followLog,
  outputIn,
  type ServedAgent,
  serveAgent,
  whenFree,
} from '../helpers/served-agent.ts'

interface Context {
  served: ServedAgent
}

const test = suite<Context>('serve: requests')

test.before(async (t) => {
  t.served = await serveAgent()
})

test.after(async (t) => {
  await t.served.stop()
})

/** @returns the job's log */
async function runToEnd(served: ServedAgent, id: string, request: object): Promise<string> {
  const { status, text } = await served.ask('POST', '/jobs', { body: JSON.stringify(request) })
  assert.is(status, 200, text)
  const log = await followLog(served, encodeURIComponent(id))
  await whenFree(served)
  return log
}

const OPTIONAL = [
  ...['executor', 'epilogue_always_commands', 'epilogue_commands', 'epilogue_on_pass_commands'],
  ...['epilogue_on_fail_commands', 'env_vars', 'file', 'ssh_public_keys', 'compose', 'logger'],
  ...['timeout_in_seconds', 'no_output_timeout_in_seconds', 'id', 'never_heard_of'],
]

test('every field that may be left out may be null, at any depth', async ({ served }) => {
  const request = {
    ...Object.fromEntries(OPTIONAL.map((key) => [key, null])),
    job_id: 'nulls',
    commands: [{ directive: 'stat -c %a ~/file', alias: null }],
    files: [{ path: 'file', content: '', mode: null }],
    callbacks: { finished: null, teardown_finished: null, token: null },
  }

  const log = await runToEnd(served, 'nulls', request)
  const bare = await runToEnd(served, 'bare', { job_id: 'bare', commands: null, callbacks: null })

  assert.match(outputIn(log), '644\n')
  assert.equal(
    [log, bare].map((text) => eventsIn(text).at(-1)),
    [log, bare].map((text) => ({
      event: 'job_finished',
      timestamp: eventsIn(text).at(-1)?.timestamp,
      result: 'passed',
    })),
  )
})

test('the fields of a container, too, and a field that is wrong is named beside them', async ({
  served,
}) => {
  const absent = ['command', 'entrypoint', 'user', 'env_vars', 'files', 'memory', 'cpus']
  const nulls = [...absent, 'platform', 'pull_policy'].map((key) => [key, null])
  const container = { ...Object.fromEntries(nulls), name: 'main' }
  const compose = {
    containers: [
      container,
      { name: 'db', image: 'b', files: [{ path: 7, content: null, file: 'x' }] },
    ],
    image_pull_credentials: null,
    host_setup_commands: null,
  }
  const body = JSON.stringify({ job_id: 'wrong', executor: 'dockercompose', compose })

  const { status, text } = await served.ask('POST', '/jobs', { body })

  assert.is(status, 422)
  assert.equal(JSON.parse(text).errors, [
    'compose.containers[0].image: expected the name of an image',
    'compose.containers[1].files[0].path: expected a path, got a number',
    'compose.containers[1].files[0].content: expected a string of base64',
  ])
})

test('older names mean what they meant: id, epilogue_commands, file', async ({ served }) => {
  const log = await runToEnd(served, 'older', {
    id: 'older',
    commands: [{ directive: 'cat ~/file' }],
    epilogue_commands: [{ directive: 'echo "then $SEMAPHORE_JOB_RESULT"' }],
    file: [{ path: 'file', content: encode('found\n') }],
  })

  const outputs = blocksOf(eventsIn(log)).map(({ output }) => output)
  assert.equal(outputs.slice(2), ['found\n', 'Exporting SEMAPHORE_JOB_RESULT\n', 'then passed\n'])
})

for (const id of ['a/b', 'é %2F', '?x=1#y', '...', 'a\\b "c"', '🙂']) {
  test(`the log of the job ${id} has a URL`, async ({ served }) => {
    const log = await runToEnd(served, id, { job_id: id, commands: [{ directive: 'echo it' }] })

    assert.match(outputIn(log), 'it\n')
  })
}

test.run()
