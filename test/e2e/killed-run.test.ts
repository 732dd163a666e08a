/** An `agent run` that is killed: the next one clears away what it has left. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { findRegisteredJobs } from '../../lib/access/registered-jobs.ts'
import { encode, runJob, startJob } from '../helpers/agent.ts'
import { engineObjects } from '../helpers/engine.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { processesMatching, waitFor } from '../helpers/host.ts'
import { createJobId } from '../helpers/job-id.ts'

interface Context {
  home: string
}

const test = engineSuite<Context>('killed run')

test.before.each(async (t) => {
  t.home = await mkdtemp(join(tmpdir(), 'home-'))
})

test.after.each(async (t) => {
  await rm(t.home, { recursive: true, force: true })
})

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me'
const seconds = `1000.${Math.floor(Math.random() * 1e9)}`

/** Where the job keeps its own files, as it is written down for the next agent. */
async function directoryOf(id: string): Promise<string> {
  const [job] = (await findRegisteredJobs()).filter((it) => it.id === id)
  return job?.resources.directory ?? ''
}

for (const [where, place] of [
  ['on the host', {}],
  [
    'in a container',
    {
      executor: 'dockercompose',
      compose: { containers: [{ name: 'main', image: 'agent-test/debian' }] },
    },
  ],
] as const) {
  test(`what a killed agent has left ${where} is gone once the next one runs`, async (t) => {
    const id = createJobId()
    const job = await startJob(
      {
        job_id: id,
        ...place,
        env_vars: [{ name: 'SECRET', value: encode('hush') }],
        files: [{ path: '~/.config/job/secret', content: encode('hush'), mode: '0600' }],
        ssh_public_keys: [encode(KEY)],
        commands: [{ directive: `echo now; (setsid sleep ${seconds} &); sleep ${seconds}` }],
      },
      { home: t.home },
    )
    await waitFor(() => job.stdout.includes('now\\n'), 'the command runs')
    assert.ok(processesMatching(`sleep ${seconds}`).length > 0)
    const directory = await directoryOf(id)

    job.signal('SIGKILL')
    await job.exited
    const { result } = await runJob({ commands: [{ directive: 'true' }] }, { home: t.home })

    assert.is(result, 'passed')
    assert.equal(processesMatching(`sleep ${seconds}`), [])
    assert.equal(await engineObjects(), t.before)
    assert.is(await readdir(directory).catch(() => 'gone'), 'gone')
    assert.equal(await readdir(t.home), [])
    const keys = join(t.home, '.ssh', 'authorized_keys')
    assert.is(await readFile(keys, 'utf8').catch(() => ''), '')
  })
}

test.run()
