/** Containers that cannot be as the job wants them: the log says which, and why. */

import * as assert from 'uvu/assert'
import { encode, runJob } from '../helpers/agent.ts'
import { containerJob, IMAGE } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'

const test = engineSuite('container trouble')

/** Of the block that ended the job. */
async function failureOf(main: object, services: readonly object[] = []): Promise<string> {
  const { events, result } = await runJob(containerJob(main, ['echo no'], { services }))
  const block = blocksOf(events).at(-1)
  assert.is(result, 'failed')
  assert.is(block?.directive, 'Starting the docker image...')
  assert.is(block?.exitCode, 1)
  return block?.output ?? ''
}

test('variables too large for a process are told as the reason', async () => {
  const value = encode('x'.repeat(131_072))

  const output = await failureOf({ env_vars: [{ name: 'LARGE', value }] })

  assert.match(
    output,
    /exec \S+bash: argument list too long\. The variables of the container are too/,
  )
})

test('a variable that no container can have is named', async () => {
  const output = await failureOf({ env_vars: [{ name: 'A=B', value: encode('c') }] })

  assert.match(output, '"A=B" is not a valid name for a variable of "main" [ERR_CONTENT_INVALID]\n')
})

test('a name that is the agent’s own is refused', async () => {
  const name = 'AGENT_JOB_COOKIE'

  const output = await failureOf({ env_vars: [{ name, value: encode('c') }] })

  assert.match(output, `${name} is a name that the agent uses itself`)
})

test('a service that cannot be made or started is named', async () => {
  const [made, started] = await Promise.all([
    failureOf({}, [{ name: 'idle', image: IMAGE }]),
    failureOf({}, [{ name: 'odd', image: IMAGE, entrypoint: 'no-such-program' }]),
  ])

  assert.match(made, /Docker refused to create container "idle" from image "[^"]+": no command/i)
  assert.match(started, /Docker refused to start container "odd": [^\n]*no-such-program/)
  assert.match(started, 'Check user, entrypoint and command of the container in the job')
})

test('a service that is killed for want of memory is told with its limit', async () => {
  const command = `perl -e '$x = "x" x 2e8; sleep 100'`
  // One with a port is waited for; with less than this, an engine cannot always start it.
  const hungry = { name: 'hungry', image: 'agent-test/redis', memory: '32m', command }
  const output = await failureOf({}, [hungry])

  // A busy engine may miss that it was for memory.
  assert.match(
    output,
    /"hungry" ended with exit code 137, [^\n]*it (?:ran|may have run) out of memory \(its limit: 32 MiB\) \[ERR_CONTAINER_FAILED\]\n/,
  )
})

test.run()
