import { chown, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { addAttachSession, listAttachSessions } from '../../../lib/access/attach-sessions.ts'
import { holdForAttachSessions } from '../../../lib/access/hold.ts'
import {
  findRegisteredJobs,
  readRegisteredJob,
  registerJob,
  unregisterDeadJobs,
  unregisterJob,
} from '../../../lib/access/registered-jobs.ts'
import { identifySelf } from '../../../lib/host/agent-identity.ts'
import { type JobRecord, RecordedJob } from '../../../lib/records/job-record.ts'
import { jobRecord } from '../../helpers/job-record.ts'
import { rejection } from '../../helpers/rejection.ts'

interface Context {
  directory: string
  root: string
}

const test = suite<Context>('access: registered jobs')

/** No process has had this pid and start. */
const DEAD = identifySelf().replace(/\d+$/, '1')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'jobs-'))
  t.root = join(t.directory, 'running')
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

async function register(t: Context, change: Partial<JobRecord>): Promise<string> {
  const recorded = new RecordedJob(join(t.directory, `${change.id}.json`))
  await recorded.begin(jobRecord(change))
  return await registerJob(t.root, recorded.path)
}

test('jobs are found as long as they and their agents are there, the oldest first', async (t) => {
  await register(t, { id: 'two', since: '2026-01-31T12:00:02.000Z' })
  const gone = await register(t, { id: 'three' })
  await register(t, { id: '1', since: '2026-01-31T12:00:01.000Z' })
  const dead = await register(t, { id: 'dead', identity: DEAD })
  await unregisterJob(gone)

  assert.equal(
    (await findRegisteredJobs([t.root])).map(({ id }) => id),
    ['1', 'two'],
  )
  assert.is(readRegisteredJob(gone), undefined)
  assert.is(readRegisteredJob(dead), undefined)
})

test('a job whose agent was killed is unregistered by the next one, whatever became of its record', async (t) => {
  const alive = await register(t, { id: 'alive' })
  await mkdir(join(t.root, `${DEAD}-0123456789ab`), { mode: 0o700 })

  await unregisterDeadJobs([t.root])

  assert.equal(await readdir(t.root), [basename(alive)])
})

test('nobody but the user can look in', async (t) => {
  const directory = await register(t, { id: 'one' })

  assert.is((await stat(t.root)).mode & 0o777, 0o700)
  assert.is((await stat(directory)).mode & 0o777, 0o700)
})

test('what somebody else put in place of the directory is neither used nor trusted', async (t) => {
  const { root } = t
  const foreign = process.getuid?.() === 0 ? root : '/usr'
  if (foreign === root) {
    await register(t, { id: 'planted' })
    await chown(root, 65_534, 65_534)
  }

  assert.equal(await findRegisteredJobs([foreign]), [])
  const { message } = await rejection(registerJob(foreign, join(t.directory, 'one.json')))
  assert.match(message, "not a directory of this user's")
})

test('where no job ever ran, there are none', async ({ root }) => {
  assert.equal(await findRegisteredJobs([root]), [])
})

test('nobody comes into a job that is over', async ({ root }) => {
  await mkdir(root)

  await rejection(addAttachSession(join(root, 'gone'), process.pid))
})

test('a hold ends when those who came during it have left, not for those who left before', async (t) => {
  const directory = await register(t, { id: 'one' })
  const access = { listSessions: () => listAttachSessions(directory) }
  await addAttachSession(directory, 2 ** 22 + 1) // no pid can be that large: left before
  const minutes = 600_000
  let isOver = false
  const held = holdForAttachSessions(access, minutes, new AbortController().signal).then(() => {
    isOver = true
  })
  const stopped = new AbortController()
  const other = holdForAttachSessions(access, minutes, stopped.signal)
  stopped.abort()
  await other

  assert.not.ok(isOver)
  await addAttachSession(directory, 2 ** 22 + 2)
  await held
})

test.run()
