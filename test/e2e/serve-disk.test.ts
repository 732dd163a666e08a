/** A disk that fills up, a log that vanishes, a state directory that turns read-only; and many jobs. */

import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startControlPlane } from '../helpers/control-plane.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import {
  eventsIn,
  followLog,
  outputIn,
  residentMegabytes,
  type ServedAgent,
  serveAgent,
  shellJob,
  whenFree,
  whenReported,
  withAgent,
} from '../helpers/served-agent.ts'

interface Context {
  /** A small file system of its own. */
  disk: string
}

const test = suite<Context>('serve: disk')

test.before.each(async (t) => {
  t.disk = await mkdtemp(join(tmpdir(), 'disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'agent-test', t.disk])
})

test.after.each(async (t) => {
  execFileSync('umount', ['--lazy', t.disk])
  await rm(t.disk, { recursive: true })
})

/** As a kernel does it to a disk with errors: also while files on it are open. */
function makeReadOnly(directory: string): void {
  execFileSync('mount', ['--bind', directory, directory])
  execFileSync('mount', ['-o', 'remount,bind,ro', directory])
}

const makeWritable = (directory: string) => execFileSync('umount', [directory])

async function submit(served: ServedAgent, id: string, directive: string, callbacks = {}) {
  const body = JSON.stringify({ ...JSON.parse(shellJob(id, directive)), callbacks })
  const { status, text } = await served.ask('POST', '/jobs', { body })
  assert.is(status, 200, text)
}

async function assertGoesOn(served: ServedAgent, id: string): Promise<void> {
  await whenFree(served)
  assert.is((await served.ask('GET', '/is_alive')).text, 'yes')
  await submit(served, id, 'echo fine again')
  assert.match(outputIn(await followLog(served, id)), 'fine again\n')
}

test('a log that fills the disk fails its job, with the reason as its last words', async (t) => {
  const plane = await startControlPlane()
  const served = await serveAgent([], { stateDirectory: t.disk })
  try {
    await submit(served, 'flood', 'echo now; yes "$(printf %01000d 0)"; echo never', {
      finished: `${plane.url}/finished`,
    })

    const events = eventsIn(await followLog(served, 'flood'))

    const last = events.at(-1)
    assert.is(last?.event === 'job_finished' && last.result, 'failed')
    assert.match(
      blocksOf(events).at(-1)?.output ?? '',
      /the disk is full \[ERR_JOB_LOG_FAILED\]\nMake room/,
    )
    assert.is(blocksOf(events).at(-1)?.exitCode, 1)
    assert.equal(
      plane.calls.map(({ body }) => body),
      ['{"result":"failed"}'],
    )
    await rm(join(t.disk, 'logs'), { recursive: true })
    execFileSync('mkdir', [join(t.disk, 'logs')])
    await assertGoesOn(served, 'after')
  } finally {
    await served.stop()
    await plane.close()
  }
})

test('a job on a full disk does not run, and says why', async (t) => {
  const served = await serveAgent([], { stateDirectory: t.disk })
  try {
    const filler = join(t.disk, 'filler')
    execFileSync('sh', ['-c', `cat /dev/zero >${filler} 2>/dev/null || true`])
    await submit(served, 'full', 'echo never')

    const log = await followLog(served, 'full')

    assert.match(log, '"result":"failed"')
    assert.match(outputIn(log), 'the disk is full')
    assert.not.match(outputIn(log), 'never')
    await rm(filler)
    await assertGoesOn(served, 'after')
  } finally {
    await served.stop()
  }
})

test('a job with a read-only state directory does not run, and says why', async (t) => {
  const served = await serveAgent([], { stateDirectory: t.disk })
  try {
    for (const name of ['logs', 'records']) makeReadOnly(join(t.disk, name))
    await submit(served, 'read-only', 'echo never')

    const log = await followLog(served, 'read-only')
    await whenFree(served)

    assert.match(log, '"result":"failed"')
    assert.match(outputIn(log), 'read-only')
    assert.not.match(outputIn(log), 'never')
    for (const name of ['logs', 'records']) makeWritable(join(t.disk, name))
    await assertGoesOn(served, 'after')
  } finally {
    await served.stop()
  }
  assert.equal(
    readdirSync('/dev/shm').filter((name) => name.startsWith('agent-log-')),
    [],
  )
})

test('a log that somebody deletes fails its job; the server goes on', async (t) => {
  const plane = await startControlPlane()
  const served = await serveAgent([], { stateDirectory: t.disk })
  try {
    await submit(served, 'gone', 'echo now; while :; do echo tick; sleep 0.02; done', {
      finished: `${plane.url}/finished`,
    })
    await waitFor(
      async () => (await served.ask('GET', '/jobs/gone/log')).text.includes('tick'),
      'the job ticks',
    )
    const logs = join(t.disk, 'logs')
    for (const name of await readdir(logs)) await rm(join(logs, name))

    await waitFor(() => plane.calls.length === 1, 'the finished callback')

    assert.is(plane.calls[0]?.body, '{"result":"failed"}')
    await whenFree(served)
    assert.match((await served.ask('GET', '/agent_logs')).text, /\[job gone\].* it was deleted/)
    await assertGoesOn(served, 'after')
  } finally {
    await served.stop()
    await plane.close()
  }
})

test('200 jobs in a row leave no descriptor, no process, and no memory behind', async () => {
  await withAgent(async (served) => {
    const { pid } = served.agent
    const descriptors = () => readdirSync(`/proc/${pid}/fd`).length
    const children = () =>
      execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
    const runJobs = async (from: number, to: number) => {
      for (let job = from; job < to; job++) {
        await submit(served, `row-${job}`, 'seq 100')
        assert.match(await followLog(served, `row-${job}`), '"result":"passed"')
        await whenFree(served)
      }
      await whenReported(served)
    }
    await runJobs(0, 60)
    const before = { descriptors: descriptors(), megabytes: await residentMegabytes(pid) }

    await runJobs(60, 200)

    assert.ok(descriptors() <= before.descriptors + 2, 'descriptors')
    const growth = (await residentMegabytes(pid)) - before.megabytes
    // V8 lets its heap grow a little with each job before it collects: it ends after some 1,000.
    assert.ok(growth < 60, `${growth.toFixed(0)} MB more after 140 more jobs`)
    await waitFor(() => {
      try {
        return children().trim() === ''
      } catch {
        return true // ps found none
      }
    }, 'no process is left')
    assert.is((await served.ask('GET', '/jobs/row-0/log')).status, 404)
    assert.is((await served.ask('GET', '/jobs/row-150/log')).status, 200)
    assert.is((await readdir(join(served.directory, 'state', 'logs'))).length, 100)
  })
})

test.run()
