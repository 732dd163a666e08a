/** A served job's end, as the control plane hears of it; and the end of the agent itself. */

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ControlPlane, startControlPlane } from '../helpers/control-plane.ts'
import { waitFor } from '../helpers/host.ts'
import { ARTIFACT_TOKEN } from '../helpers/hub/artifacts.ts'
import { startHub } from '../helpers/hub.ts'
import { createJobId } from '../helpers/job-id.ts'
import {
  eventsIn,
  followLog,
  outputIn,
  type ServedAgent,
  serveAgent,
  whenFree,
  withAgent,
} from '../helpers/served-agent.ts'

const test = suite('serve: life')

const ARCHIVATOR = { headers: { 'x-client-name': 'archivator' } }

async function submit(served: ServedAgent, job: object): Promise<string> {
  const id = createJobId()
  const { status, text } = await served.ask('POST', '/jobs', {
    body: JSON.stringify({ job_id: id, ...job }),
  })
  assert.is(status, 200, text)
  return id
}

async function whenRunning(served: ServedAgent, id: string): Promise<void> {
  await waitFor(async () => {
    const { text } = await served.ask('GET', `/jobs/${id}/log`)
    return text.includes('now\\n')
  }, 'the command runs')
}

const callbacksTo = ({ url }: ControlPlane) => ({
  finished: `${url}/finished`,
  teardown_finished: `${url}/teardown`,
})

const paths = ({ calls }: ControlPlane) => calls.map(({ path, body }) => `${path} ${body}`)

test('teardown_finished waits for the archivator to read the log to its end, not the next job', async () => {
  const plane = await startControlPlane()
  try {
    await withAgent(async (served) => {
      const id = await submit(served, {
        commands: [{ directive: 'echo now' }],
        callbacks: callbacksTo(plane),
      })
      const log = await followLog(served, id)
      assert.equal(paths(plane), ['/finished {"result":"passed"}'])

      await whenFree(served)
      const next = await submit(served, { commands: [{ directive: 'echo next' }] })
      assert.match(outputIn(await followLog(served, next)), 'next\n')
      await served.ask('GET', `/jobs/${next}/log`, ARCHIVATOR) // of another job
      await served.ask('GET', `/jobs/${id}/log`) // by somebody else
      assert.is(plane.calls.length, 1)
      const collected = await served.ask('GET', `/jobs/${id}/log?start_from=2`, ARCHIVATOR)

      assert.is(collected.text, log.split('\n').slice(2).join('\n'))
      await waitFor(() => plane.calls.length === 2, 'the teardown callback')
      assert.is(paths(plane)[1], '/teardown {}')
    })
  } finally {
    await plane.close()
  }
})

test('an archivator that reads while the job runs has not collected it', async () => {
  const plane = await startControlPlane()
  try {
    await withAgent(async (served) => {
      const id = await submit(served, {
        commands: [{ directive: 'echo now; sleep 1000' }],
        callbacks: callbacksTo(plane),
      })
      await whenRunning(served, id)
      await served.ask('GET', `/jobs/${id}/log`, ARCHIVATOR)
      await served.ask('POST', '/stop')
      await followLog(served, id)
      await whenFree(served)
      assert.equal(paths(plane), ['/finished {"result":"stopped"}'])

      await served.ask('GET', `/jobs/${id}/log?follow=true`, ARCHIVATOR)

      await waitFor(() => plane.calls.length === 2, 'the teardown callback')
    })
  } finally {
    await plane.close()
  }
})

test('callback URLs and their token are kept as long as they are needed', async () => {
  const plane = await startControlPlane()
  try {
    await withAgent(async (served) => {
      const state = join(served.directory, 'state')
      const textBelow = async (directory: string) => {
        const names = await readdir(directory, { recursive: true })
        const texts = names.map((name) => readFile(join(directory, name), 'utf8').catch(() => ''))
        return (await Promise.all(texts)).join('')
      }
      const records = () => textBelow(join(state, 'records'))
      const wait = [{ directive: 'echo now; sleep 1000' }]
      const { finished, teardown_finished } = callbacksTo(plane)
      const unused = await submit(served, { commands: wait, callbacks: { token: 'unneeded' } })
      await whenRunning(served, unused)
      assert.match(await records(), unused)
      assert.not.match(await textBelow(state), 'unneeded')
      await served.ask('POST', '/stop')
      await followLog(served, unused)
      await whenFree(served)

      const callbacks = { finished, teardown_finished, token: 'needed' }
      const id = await submit(served, { commands: wait, callbacks })
      await whenRunning(served, id)
      assert.match(await records(), '/finished')
      await served.ask('POST', '/stop')
      await followLog(served, id)
      assert.not.match(await textBelow(state), '/finished')
      assert.match(await records(), /teardown.*needed/)
      await served.ask('GET', `/jobs/${id}/log`, ARCHIVATOR)
      await waitFor(async () => (await records()) === '', 'nothing of it is kept')
      assert.not.match(await textBelow(state), /\/teardown|needed/)
    })
  } finally {
    await plane.close()
  }
})

test('a log that nobody collects is not waited for beyond the limit', async () => {
  const plane = await startControlPlane()
  try {
    await withAgent(
      async (served) => {
        await submit(served, { commands: [], callbacks: callbacksTo(plane) })

        await waitFor(() => plane.calls.length === 2, 'the teardown callback')
        assert.match((await served.ask('GET', '/agent_logs')).text, 'was not collected in time')
      },
      ['--collection-timeout', '200ms'],
    )
  } finally {
    await plane.close()
  }
})

test('a finished callback is tried again until it is taken; job_finished comes after it', async () => {
  const plane = await startControlPlane(500, (response) => response.destroy(), 302, 204)
  try {
    await withAgent(async (served) => {
      const { finished } = callbacksTo(plane)
      const id = await submit(served, { commands: [], callbacks: { finished } })
      await waitFor(() => plane.calls.length >= 2, 'a second try')
      assert.not.match((await served.ask('GET', `/jobs/${id}/log`)).text, 'job_finished')

      assert.is(eventsIn(await followLog(served, id)).at(-1)?.event, 'job_finished')
      assert.is(plane.calls.length, 4)
    })
  } finally {
    await plane.close()
  }
})

test('callbacks that never succeed are counted and logged; the job ends all the same', async () => {
  await withAgent(
    async (served) => {
      const callbacks = { finished: 'http://127.0.0.1:1/finished?secret=hush' }
      const id = await submit(served, { commands: [], callbacks })

      assert.is(eventsIn(await followLog(served, id)).at(-1)?.event, 'job_finished')
      const own = (await served.ask('GET', '/agent_logs')).text
      assert.match(own, /error \[job .*http:\/\/127\.0\.0\.1:1\/finished failed /)
      assert.not.match(own, 'hush')
      assert.match((await served.ask('GET', '/metrics')).text, 'agent_callback_failures_total 1')
    },
    ['--callback-retry-attempts', '2'],
  )
})

test('a log is uploaded when the job asks for it, before its teardown is told', async () => {
  const hub = await startHub()
  const stored: string[] = []
  const plane = await startControlPlane((response) => {
    stored.push(...hub.artifacts.stored.keys())
    response.writeHead(200).end()
  })
  const variables = {
    SEMAPHORE_AGENT_UPLOAD_JOB_LOGS: 'when-trimmed',
    SEMAPHORE_ORGANIZATION_URL: hub.url,
    SEMAPHORE_ARTIFACT_TOKEN: ARTIFACT_TOKEN,
  }
  const job = {
    env_vars: Object.entries(variables).map(([name, value]) => ({
      ...{ name, value: Buffer.from(value).toString('base64') },
    })),
    commands: [{ directive: 'echo one; echo two' }],
  }
  try {
    await withAgent(async (served) => {
      const whole = await submit(served, job)
      await followLog(served, whole)
      await whenFree(served)
      const { teardown_finished } = callbacksTo(plane)
      const logger = { max_size_in_bytes: 100 }
      const trimmed = await submit(served, { ...job, logger, callbacks: { teardown_finished } })
      await served.ask('GET', `/jobs/${trimmed}/log?follow=true`, ARCHIVATOR)

      await waitFor(() => plane.calls.length === 1, 'the teardown is told')
      const path = `artifacts/jobs/${trimmed}/agent/job_logs.txt`
      assert.equal(stored, [path])
      assert.match(String(hub.artifacts.stored.get(path)), 'echo one; echo two\none\ntwo\n')
      assert.equal(hub.violations, [])
      assert.not.match((await served.ask('GET', '/agent_logs')).text, ARTIFACT_TOKEN)
    })
  } finally {
    await plane.close()
    await hub.close()
  }
})

test('TERM without a job ends the agent with 0', async () => {
  const served = await serveAgent()

  served.agent.signal('SIGTERM')

  assert.is((await served.agent.exited).code, 0)
  await served.stop()
})

test('after TERM no job is taken, the running one goes on to its end', async () => {
  const served = await serveAgent()
  try {
    const go = `${served.directory}/go`
    const id = await submit(served, {
      commands: [{ directive: `echo now; until [ -e ${go} ]; do sleep 0.05; done; echo end` }],
    })
    await whenRunning(served, id)
    served.agent.signal('SIGTERM')
    await waitFor(() => served.agent.stderr.includes('SIGTERM'), 'the signal is noticed')

    const other = await served.ask('POST', '/jobs', { body: '{"job_id":"late","commands":[]}' })
    const repeat = await served.ask('POST', '/jobs', {
      body: JSON.stringify({ job_id: id, commands: [] }),
    })
    const log = followLog(served, id)
    await served.ask('GET', '/status')
    await writeFile(go, '')

    assert.is(other.status, 422)
    assert.match(other.text, 'shutting down')
    assert.is(repeat.text, '{"message": "job is already running"}')
    assert.match(outputIn(await log), 'end\n')
    assert.match(await log, '"result":"passed"')
    assert.is((await served.agent.exited).code, 0)
  } finally {
    await served.stop()
  }
})

test('a job that outlasts --shutdown-timeout is stopped, and told as stopped', async () => {
  const plane = await startControlPlane()
  const served = await serveAgent(['--shutdown-timeout', '300ms'])
  try {
    const { finished } = callbacksTo(plane)
    const id = await submit(served, {
      commands: [{ directive: 'echo now; sleep 1000' }],
      callbacks: { finished },
    })
    await whenRunning(served, id)

    served.agent.signal('SIGTERM')

    assert.is((await served.agent.exited).code, 0)
    assert.equal(paths(plane), ['/finished {"result":"stopped"}'])
  } finally {
    await served.stop()
    await plane.close()
  }
})

test('a second TERM ends a job that ignores being asked, at once and with its callback', async () => {
  const plane = await startControlPlane()
  const served = await serveAgent(['--stop-grace-period', '10m'])
  try {
    const { finished } = callbacksTo(plane)
    const id = await submit(served, {
      commands: [{ directive: `bash -c 'trap "" TERM; echo now; while :; do sleep 1; done'` }],
      callbacks: { finished },
    })
    await whenRunning(served, id)
    served.agent.signal('SIGTERM')
    await waitFor(() => served.agent.stderr.includes('SIGTERM'), 'the signal is noticed')

    served.agent.signal('SIGTERM')

    assert.is((await served.agent.exited).code, 0)
    assert.equal(paths(plane), ['/finished {"result":"stopped"}'])
  } finally {
    await served.stop()
    await plane.close()
  }
})

test('a callback that could not be sent before the end is sent by the next start', async () => {
  const silent = await startControlPlane((response) => void response.socket)
  const served = await serveAgent()
  let next: ServedAgent | undefined
  try {
    const id = await submit(served, {
      commands: [],
      callbacks: { finished: `${silent.url}/finished` },
    })
    await waitFor(() => silent.calls.length === 1, 'the callback is on its way')
    served.agent.signal('SIGTERM')
    await waitFor(() => served.agent.stderr.includes('SIGTERM'), 'the signal is noticed')
    served.agent.signal('SIGTERM')
    assert.is((await served.agent.exited).code, 0)

    next = await serveAgent([], { directory: served.directory })
    await waitFor(() => silent.calls.length >= 2, 'the callback is sent again')
    assert.is(silent.calls[1]?.body, '{"result":"passed"}')
    assert.is((await next.ask('GET', `/jobs/${id}/log`)).status, 200)
  } finally {
    await (next ?? served).stop()
    await silent.close()
  }
})

test.run()
