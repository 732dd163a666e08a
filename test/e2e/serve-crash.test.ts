/** An agent that is killed at any moment, and what its next start makes of that. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { encode } from '../helpers/agent.ts'
import { startControlPlane } from '../helpers/control-plane.ts'
import { engineObjects } from '../helpers/engine.ts'
import { startEngineProxy } from '../helpers/engine-proxy.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'
import { processesMatching, waitFor } from '../helpers/host.ts'
import { createJobId } from '../helpers/job-id.ts'
import {
  eventsIn,
  followLog,
  outputIn,
  type ServedAgent,
  serveAgent,
  whenFree,
} from '../helpers/served-agent.ts'

const test = engineSuite('serve: crash')

const IMAGE = 'agent-test/debian'

const inContainers = (rest: object, service: object[] = []) => ({
  executor: 'dockercompose',
  compose: { containers: [{ name: 'main', image: IMAGE }, ...service] },
  ...rest,
})

async function submit(served: ServedAgent, job: object): Promise<string> {
  const id = createJobId()
  const body = JSON.stringify({ job_id: id, ...job })
  const { status, text } = await served.ask('POST', '/jobs', { body })
  assert.is(status, 200, text)
  return id
}

const logOf = async (served: ServedAgent, id: string) =>
  (await served.ask('GET', `/jobs/${id}/log`)).text

async function whenLogged(served: ServedAgent, id: string, text: string): Promise<string> {
  let log = ''
  await waitFor(async () => {
    log = await logOf(served, id)
    return log.includes(text)
  }, `the log has ${text}`)
  return log
}

/** Unique, so that it is found in the table of processes. */
const oddSeconds = () => `1000.${Math.floor(Math.random() * 1e9)}`

const seconds = oddSeconds()
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me'

for (const [phase, job, marker] of [
  [
    'a command',
    { commands: [{ directive: `echo now; (setsid sleep ${seconds} &); sleep ${seconds}` }] },
    'now\\n',
  ],
  [
    'an epilogue',
    {
      commands: [{ directive: 'false' }],
      epilogue_always_commands: [{ directive: `echo now; sleep ${seconds}` }],
    },
    'now\\n',
  ],
  [
    'a command in a container',
    inContainers({ commands: [{ directive: `echo now; sleep ${seconds}` }] }, [
      { name: 'service', image: IMAGE, command: 'sleep 1000' },
    ]),
    'now\\n',
  ],
  [
    'the start of containers',
    inContainers({ commands: [] }, [{ name: 'service', image: IMAGE, command: 'sleep 1000' }]),
    'Starting a new bash session',
  ],
  [
    'a host setup command',
    {
      executor: 'dockercompose',
      compose: {
        containers: [{ name: 'main', image: IMAGE }],
        host_setup_commands: [{ directive: `sleep ${seconds}` }],
      },
    },
    'job_started',
  ],
] as const) {
  test(`an agent killed during ${phase} leaves nothing, and its job ends as failed`, async (t) => {
    const plane = await startControlPlane()
    let served = await serveAgent()
    try {
      const keys = join(served.directory, 'home', '.ssh', 'authorized_keys')
      const id = await submit(served, {
        env_vars: [{ name: 'SECRET', value: encode('hush') }],
        ssh_public_keys: [encode(KEY)],
        callbacks: { finished: `${plane.url}/finished` },
        ...job,
      })
      const before = await whenLogged(served, id, marker)
      await waitFor(async () => (await readFile(keys, 'utf8')).includes(KEY), 'the key is there')
      const [name = ''] = await readdir(join(served.directory, 'state', 'records'))
      const record = await readFile(join(served.directory, 'state', 'records', name), 'utf8')
      const { resources } = JSON.parse(record) as { resources: { directory: string } }

      served = await served.killAndRestart()
      const log = await followLog(served, id)

      assert.ok(log.startsWith(before), 'every line that was read is still there')
      const events = eventsIn(log)
      assert.is(events.filter(({ event }) => event === 'job_finished').length, 1)
      const last = events.at(-1)
      assert.is(last?.event === 'job_finished' && last.result, 'failed')
      const block = blocksOf(events).at(-1) // throws unless all blocks are whole
      if (marker === 'now\\n') {
        assert.is(block?.exitCode, 1)
        assert.match(block?.output ?? '', /^now\nThe agent was killed while this ran/)
      }
      assert.equal(
        plane.calls.map(({ body }) => body),
        ['{"result":"failed"}'],
      )
      assert.equal(processesMatching(`sleep ${seconds}`), [])
      assert.equal(await engineObjects(), t.before)
      assert.equal(await readdir(resources.directory).catch(() => 'gone'), 'gone')
      const records = join(served.directory, 'state', 'records')
      await waitFor(async () => (await readdir(records)).length === 0, 'its record is removed')
      assert.is(await readFile(keys, 'utf8').catch(() => ''), '')
      assert.equal(await readdir(join(served.directory, 'home')), [])

      await whenFree(served)
      const next = await submit(served, { commands: [{ directive: 'echo next' }] })
      assert.match(outputIn(await followLog(served, next)), 'next\n')
    } finally {
      await served.stop()
      await plane.close()
    }
  })
}

test('an agent killed during the pull of an image leaves nothing, and its job ends as failed', async () => {
  const proxy = await startEngineProxy()
  const asked = Promise.withResolvers<void>()
  proxy.on(/^POST \/images\/create/, ({ request }) => {
    request.resume()
    asked.resolve()
  })
  let served = await serveAgent([], { environment: proxy.environment })
  try {
    const containers = [{ name: 'main', image: '127.0.0.1:1/not/here:1' }]
    const id = await submit(served, { executor: 'dockercompose', compose: { containers } })
    await asked.promise

    served = await served.killAndRestart()
    const events = eventsIn(await followLog(served, id))

    const block = blocksOf(events).at(-1)
    assert.is(block?.directive, 'Pulling docker images...')
    assert.match(block?.output ?? '', 'The agent was killed while this ran')
    const last = events.at(-1)
    assert.is(last?.event === 'job_finished' && last.result, 'failed')
  } finally {
    await served.stop()
    await proxy.close()
  }
})

test('an agent killed while it tells of a result tells that very result again', async () => {
  const plane = await startControlPlane((response) => void response.socket, 200)
  let served = await serveAgent()
  try {
    const id = await submit(served, {
      commands: [{ directive: 'echo now' }],
      callbacks: { finished: `${plane.url}/finished` },
    })
    await waitFor(() => plane.calls.length === 1, 'the callback is on its way')

    served = await served.killAndRestart()

    assert.match(await followLog(served, id), /"result":"passed"\}\n$/)
    assert.equal(
      plane.calls.map(({ body }) => body),
      ['{"result":"passed"}', '{"result":"passed"}'],
    )
  } finally {
    await served.stop()
    await plane.close()
  }
})

test('an agent killed before the log was collected still waits for that, then tells', async () => {
  const plane = await startControlPlane()
  let served = await serveAgent()
  try {
    const id = await submit(served, {
      commands: [],
      callbacks: { finished: `${plane.url}/finished`, teardown_finished: `${plane.url}/teardown` },
    })
    const log = await followLog(served, id)
    await whenFree(served)

    served = await served.killAndRestart()
    assert.is(await logOf(served, id), log)
    assert.is(plane.calls.length, 1)
    await served.ask('GET', `/jobs/${id}/log`, { headers: { 'x-client-name': 'archivator' } })

    await waitFor(() => plane.calls.length === 2, 'the teardown callback')
    assert.is(plane.calls[1]?.path, '/teardown')
  } finally {
    await served.stop()
    await plane.close()
  }
})

test('two agents side by side: the restart of one touches nothing of the other', async () => {
  let first = await serveAgent()
  const second = await serveAgent()
  try {
    const wait = 'echo now; sleep 1000'
    const [cut, whole] = await Promise.all([
      submit(first, inContainers({ commands: [{ directive: wait }] })),
      submit(second, inContainers({ commands: [{ directive: wait }] })),
    ])
    await Promise.all([whenLogged(first, cut, 'now\\n'), whenLogged(second, whole, 'now\\n')])

    first = await first.killAndRestart()
    assert.match(await followLog(first, cut), /"result":"failed"\}\n$/)
    await second.ask('POST', '/stop')
    const log = await followLog(second, whole)

    assert.match(log, /"result":"stopped"\}\n$/)
    assert.not.match(outputIn(log), 'killed')
  } finally {
    await Promise.all([first.stop(), second.stop()])
  }
})

test('a second agent on the same state directory is refused, and says whose it is', async () => {
  const served = await serveAgent()
  try {
    const error = await serveAgent([], { directory: served.directory }).then(
      () => 'it started',
      (reason: unknown) => String(reason),
    )

    assert.match(error, `Another agent (process ${served.agent.pid}) uses the state directory`)
  } finally {
    await served.stop()
  }
})

test.run()
