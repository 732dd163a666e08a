import { chown, mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { holdForVisitors } from '../../../lib/access/hold.ts'
import {
  addRunningJob,
  addVisitor,
  findDeadJobs,
  findRunningJobs,
  listVisitors,
  type RunningJob,
  readRunningJob,
  removeRunningJob,
} from '../../../lib/access/running-jobs.ts'
import { identifyLeader, type Leader } from '../../../lib/host/processes.ts'
import { rejection } from '../../helpers/rejection.ts'

interface Context {
  directory: string
  root: string
}

const test = suite<Context>('access: running jobs')

const SELF = identifyLeader(process.pid)
/** No process has had this pid and start. */
const DEAD: Leader = { pid: process.pid, startedAt: 1 }

const job = (id: string, agent: Leader = SELF): RunningJob => ({
  id,
  executor: 'shell',
  agent,
  since: `2026-01-31T12:00:0${id.length}.000Z`,
  dockerSocketPath: '/run/docker.sock',
  containers: [],
})

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'jobs-'))
  t.root = join(t.directory, 'agent-jobs-0')
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

test('jobs are found as long as they and their agents are there, the oldest first', async ({
  root,
}) => {
  await addRunningJob(root, job('two'))
  const gone = await addRunningJob(root, job('three'))
  await addRunningJob(root, job('1'))
  const dead = await addRunningJob(root, job('dead', DEAD))
  await removeRunningJob(gone)

  assert.equal(
    (await findRunningJobs([root])).map(({ id }) => id),
    ['1', 'two'],
  )
  assert.equal(
    (await findDeadJobs([root])).map(({ directory }) => directory),
    [dead],
  )
  assert.is(await readRunningJob(gone), undefined)
  assert.is(await readRunningJob(dead), undefined)
})

test('nobody but the user can look in', async ({ root }) => {
  const directory = await addRunningJob(root, job('one'))

  assert.is((await stat(root)).mode & 0o777, 0o700)
  assert.is((await stat(directory)).mode & 0o777, 0o700)
})

test('what somebody else put in place of the directory is neither used nor believed', async ({
  root,
}) => {
  const foreign = process.getuid?.() === 0 ? root : '/usr'
  if (foreign === root) {
    await addRunningJob(root, job('planted', DEAD))
    await chown(root, 65_534, 65_534)
  }

  assert.equal(await findRunningJobs([foreign]), [])
  assert.equal(await findDeadJobs([foreign]), [])
  const { message } = await rejection(addRunningJob(foreign, job('one')))
  assert.match(message, "not a directory of this user's")
})

test('where no job ever ran, there are none', async ({ root }) => {
  assert.equal(await findRunningJobs([root]), [])
})

test('nobody comes into a job that is over', async ({ root }) => {
  await mkdir(root)

  await rejection(addVisitor(join(root, 'gone'), process.pid))
})

test('a hold ends when those who came during it have left, not for those who left before', async ({
  root,
}) => {
  const directory = await addRunningJob(root, job('one'))
  const access = { listVisitors: () => listVisitors(directory) }
  await addVisitor(directory, 2 ** 22 + 1) // no pid can be that large: left before
  const minutes = 600_000
  let isOver = false
  const held = holdForVisitors(access, minutes, new AbortController().signal).then(() => {
    isOver = true
  })
  const stopped = new AbortController()
  const other = holdForVisitors(access, minutes, stopped.signal)
  stopped.abort()
  await other

  assert.not.ok(isOver)
  await addVisitor(directory, 2 ** 22 + 2)
  await held
})

test.run()
