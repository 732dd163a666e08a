/** A job whose agent was killed, recovered by agents that are killed as well: at each change they make. */

import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { JobEvent } from '../../../lib/events/event.ts'
import { JobLog } from '../../../lib/events/job-log.ts'
import { readBootId } from '../../../lib/host/agent-identity.ts'
import { addKeys, formatKeys } from '../../../lib/host/authorized-keys.ts'
import { variablesFile } from '../../../lib/host/host-resources.ts'
import { makeWayFor } from '../../../lib/host/injected-files.ts'
import { addToLoginProfile } from '../../../lib/host/login-profile.ts'
import { COOKIE_NAME, clockTicksNow, identifyLeader, isAlive } from '../../../lib/host/processes.ts'
import { JobRecords } from '../../../lib/records/job-records.ts'
import { type ControlPlane, startControlPlane } from '../../helpers/control-plane.ts'
import { jobRecord } from '../../helpers/job-record.ts'
import { recoverAll } from './recover-all.ts'

interface Context {
  directory: string
  plane: ControlPlane
}

const test = suite<Context>('job: interrupted job')

const LIMIT_MS = 60_000
const COOKIE = 'interrupted-job'

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'interrupted-'))
  t.plane = await startControlPlane()
})

test.after.each(async ({ directory, plane }) => {
  await plane.close()
  await rm(directory, { recursive: true, force: true })
})

test('a recovery that is killed before any of its changes is completed by the next one', async (t) => {
  let hasDied = true
  let change = 0
  while (hasDied) {
    change += 1
    const root = join(t.directory, `${change}`)
    const callsBefore = t.plane.calls.length
    const { pid } = await interruptJob(root, t.plane.url)

    hasDied = await recoverAndDie(root, change)
    await recoverAll(root)

    const message = `killed before change ${change}`
    await assertRecovered(root, message)
    assert.not.ok(isAlive({ pid }), message)
    assertReported(t.plane.calls.slice(callsBefore).map(({ path, body }) => `${path} ${body}`))
  }
  assert.ok(change > 10, `there are only ${change} changes to be killed at`)
})

/** What a job leaves behind when its agent is killed during a directive. */
async function interruptJob(root: string, planeUrl: string): Promise<{ readonly pid: number }> {
  const [home, directory, logPath] = [join(root, 'home'), join(root, 'job'), join(root, '1-a.log')]
  for (const path of [home, join(home, '.ssh'), directory]) {
    await mkdir(path, { recursive: true, mode: 0o700 })
  }
  await writeFile(join(home, '.ssh', 'authorized_keys'), 'theirs\n')
  await writeFile(join(home, '.bash_profile'), 'echo theirs\n')
  const since = clockTicksNow()
  const env = { [COOKIE_NAME]: COOKIE }
  const child = spawn('/bin/sleep', ['1000'], { detached: true, stdio: 'ignore', env })
  child.unref()
  const pid = child.pid ?? 0
  const keys = { home, text: formatKeys('a', ['ssh-ed25519 AAAA me']) }
  const callbacks = { finished: `${planeUrl}/finished`, teardownFinished: `${planeUrl}/teardown` }
  const resources = { cookie: COOKIE, directory, home, since, bootId: readBootId() }
  const recorded = (await JobRecords.open(join(root, 'records'))).of(logPath)
  await recorded.begin(
    jobRecord({ resources, keys, logPath, callbacks, leaders: [identifyLeader(pid)] }),
  )
  await addKeys(home, keys.text)
  await addToLoginProfile(home, variablesFile(directory))
  const injected = join(home, 'made', 'injected')
  await makeWayFor(injected, directory)
  await writeFile(injected, 'secret')
  await writeFile(variablesFile(directory), 'export SECRET=hush')
  await startLog(logPath)
  return { pid }
}

async function startLog(path: string): Promise<void> {
  const log = await JobLog.create(path)
  const timestamp = 1_700_000_000
  await log.write({ event: 'job_started', timestamp })
  await log.write({ event: 'cmd_started', timestamp, directive: 'sleep 1000' })
  await log.write({ event: 'cmd_output', timestamp, output: 'now\n' })
  await log.close()
}

/** @returns whether it has died: it has not when it made fewer changes */
async function recoverAndDie(root: string, change: number): Promise<boolean> {
  const script = join(import.meta.dirname, 'dying-recovery.ts')
  try {
    await promisify(execFile)(process.execPath, [script, root, `${change}`], { timeout: LIMIT_MS })
    return false
  } catch (error) {
    const { signal, stderr, killed } = error as { signal: string; stderr: string; killed: boolean }
    assert.ok(signal === 'SIGKILL' && !killed, stderr)
    return true
  }
}

async function assertRecovered(root: string, message: string): Promise<void> {
  const home = join(root, 'home')
  assert.is(await readFile(join(home, '.ssh', 'authorized_keys'), 'utf8'), 'theirs\n', message)
  assert.is(await readFile(join(home, '.bash_profile'), 'utf8'), 'echo theirs\n', message)
  assert.equal((await readdir(home)).sort(), ['.bash_profile', '.ssh'], message)
  assert.equal((await readdir(root)).sort(), ['1-a.log', 'home', 'records'], message)
  assert.equal(await readdir(join(root, 'records')), [], message)
  const events = (await readFile(join(root, '1-a.log'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JobEvent)
  const names = ['job_started', 'cmd_started', 'cmd_output', 'cmd_output', 'cmd_finished']
  assert.equal(
    events.map(({ event }) => event),
    [...names, 'job_finished'],
    message,
  )
  const last = events.at(-1)
  assert.is(last?.event === 'job_finished' && last.result, 'failed', message)
}

/** Each at least once: an agent that is killed cannot know whether its callback has arrived. */
function assertReported(calls: readonly string[]): void {
  assert.equal([...new Set(calls)], ['/finished {"result":"failed"}', '/teardown {}'])
}

test.run()
