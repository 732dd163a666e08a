/** What an agent that runs container jobs all day must not do: leave anything, or grow. */

import { readdirSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { engineObjects } from '../helpers/engine.ts'
import { createJobId } from '../helpers/job-id.ts'
import {
  followLog,
  residentMegabytes,
  type ServedAgent,
  whenSettled,
  withAgent,
} from '../helpers/served-agent.ts'
import { callEngine } from '../setup/engine.ts'

const test = suite('many container jobs')

const BARE = 'agent-test/bare'

/** Until here the process loads code and fills its pools. */
const WARM_UP = 15
const JOBS = 50

/** A job's own memory, before it is collected. */
const GROWTH_LIMIT_MB = 20

test('50 jobs in a row leave no container, network, volume, process, file, connection or memory', async () => {
  const withVolume = await makeImageWithVolume()
  const before = await engineObjects()
  await withAgent(async (served) => {
    await runJobs(served, Array<string>(WARM_UP).fill(BARE))
    const warm = await lookAt(served)

    await runJobs(served, [withVolume, ...Array<string>(JOBS - WARM_UP - 1).fill(BARE)])

    const { megabytes, ...rest } = await lookAt(served)
    const { megabytes: warmMegabytes, ...warmRest } = warm
    assert.equal(rest, warmRest)
    assert.ok(
      megabytes - warmMegabytes < GROWTH_LIMIT_MB,
      `grew from ${warmMegabytes} to ${megabytes} MB`,
    )
    assert.equal(await engineObjects(), before)
  })
  await callEngine('DELETE', `/images/${withVolume}`)
})

test.run()

async function runJobs(served: ServedAgent, images: readonly string[]): Promise<void> {
  for (const image of images) {
    const id = createJobId()
    const body = JSON.stringify({
      job_id: id,
      executor: 'dockercompose',
      compose: { containers: [{ name: 'main', image }] },
      env_vars: [{ name: 'A', value: '' }],
      commands: [{ directive: '{ exec 3<> <(:); read -t 1000 -u 3; } & echo hi > /tmp/file' }],
    })
    const { status, text } = await served.ask('POST', '/jobs', { body })
    assert.is(status, 200, text)
    const log = await followLog(served, id)
    assert.match(log, '"result":"passed"')
    await whenSettled(served)
  }
}

/** All but the memory stays the same from job to job. */
async function lookAt(served: ServedAgent) {
  const { pid } = served.agent
  return {
    megabytes: await residentMegabytes(pid),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    children: readdirSync(`/proc/${pid}/task`)
      .map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'))
      .join(''),
    temporary: (await readdir(tmpdir())).sort(),
  }
}

/** Each container of it gets an anonymous volume. @returns its name */
async function makeImageWithVolume(): Promise<string> {
  const image = `agent-test/volume-${process.pid}`
  const { text } = await callEngine('POST', '/containers/create', {
    Image: 'agent-test/bare',
    Cmd: ['x'],
  })
  const { Id } = JSON.parse(text) as { Id: string }
  const changes = encodeURIComponent('VOLUME /data')
  const made = await callEngine('POST', `/commit?container=${Id}&repo=${image}&changes=${changes}`)
  await callEngine('DELETE', `/containers/${Id}?v=true`)
  assert.is(made.status, 201, made.text)
  return image
}
