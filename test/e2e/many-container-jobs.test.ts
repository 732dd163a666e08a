/** What an agent that runs container jobs all day must not do: leave anything, or grow. */

import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { engineObjects } from '../helpers/engine.ts'
import { createJobId } from '../helpers/job-id.ts'
import { LONG_RUN_JOBS, LONG_RUN_LIMIT_MS } from '../helpers/long-run.ts'
import { followLog, type ServedAgent, serveAgent, whenReported } from '../helpers/served-agent.ts'
import { assertSteady, lookAt } from '../helpers/steadiness.ts'
import { callEngine } from '../setup/engine.ts'

const test = suite('many container jobs')

const BARE = 'agent-test/bare'

/** Until here the process loads code and fills its pools. */
const WARM_UP = 15
const JOBS = LONG_RUN_JOBS > 0 ? Math.max(WARM_UP + 1, LONG_RUN_JOBS / 20) : 40

test(`${JOBS} jobs in a row leave no container, network, volume, process, file, connection or memory`, async () => {
  const withVolume = await makeImageWithVolume()
  const before = await engineObjects()
  const served = await serveAgent(['--kept-logs', String(WARM_UP)], {
    ...(LONG_RUN_JOBS > 0 && { limitMs: LONG_RUN_LIMIT_MS }),
  })
  try {
    await runJobs(served, Array<string>(WARM_UP).fill(BARE))
    const [warm, temporary] = [await lookAt(served), readdirSync(tmpdir()).sort()]

    await runJobs(served, [withVolume, ...Array<string>(JOBS - WARM_UP - 1).fill(BARE)])

    await assertSteady(served, warm, JOBS)
    assert.equal(readdirSync(tmpdir()).sort(), temporary)
    assert.equal(await engineObjects(), before)
  } finally {
    await served.stop()
  }
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
    await whenReported(served)
  }
}

/** Each container of it gets an anonymous volume. @returns its name */
async function makeImageWithVolume(): Promise<string> {
  const image = `agent-test/volume-${process.pid}`
  const { text } = await callEngine('POST', '/containers/create', {
    Image: BARE,
    Cmd: ['x'],
    Labels: { 'agent.job': createJobId() }, // other test files do not take it for theirs
  })
  const { Id } = JSON.parse(text) as { Id: string }
  const changes = encodeURIComponent('VOLUME /data')
  const made = await callEngine('POST', `/commit?container=${Id}&repo=${image}&changes=${changes}`)
  await callEngine('DELETE', `/containers/${Id}?v=true`)
  assert.is(made.status, 201, made.text)
  return image
}
