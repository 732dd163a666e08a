import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { RegisteredJob } from '../../../lib/access/registered-jobs.ts'
import { chooseJob } from '../../../lib/cli/attach.ts'
import { JobNotRunningError } from '../../../lib/errors.ts'

const test = suite('cli: attach')

const job = (id: string, pid: number): RegisteredJob => ({
  id,
  executor: 'shell',
  agentPid: pid,
  identity: 'machine.boot.namespace.1.1',
  since: '2026-01-31T12:00:00.000Z',
  resources: { cookie: 'c', home: '/home/ci', since: 1, bootId: 'b' },
  leaders: [],
  dockerSocketPath: '/run/docker.sock',
  instanceId: 'i',
  containers: [],
  callbacks: {},
  directory: `/jobs/${pid}`,
})

function complaintOf(jobs: readonly RegisteredJob[], id?: string, others = ''): JobNotRunningError {
  try {
    chooseJob(jobs, id, others)
  } catch (error) {
    assert.instance(error, JobNotRunningError)
    return error as JobNotRunningError
  }
  throw new Error('one was chosen')
}

test('the only job needs no name', () => {
  assert.is(chooseJob([job('a', 1)], undefined, '').id, 'a')
})

test('a job is named by its id, by how that begins, or by the process of its agent', () => {
  const jobs = [job('build', 11), job('build-2', 12), job('test-1', 13)]

  assert.is(chooseJob(jobs, 'build', '').agentPid, 11)
  assert.is(chooseJob(jobs, 'te', '').id, 'test-1')
  assert.is(chooseJob(jobs, '12', '').id, 'build-2')
})

test('several are listed', () => {
  const { message, hint } = complaintOf([job('a', 1), job('long', 22)])

  assert.is(
    message,
    `Several jobs run
  a     shell, since 2026-01-31T12:00:00.000Z, process 1
  long  shell, since 2026-01-31T12:00:00.000Z, process 22`,
  )
  assert.match(hint, 'agent attach JOB')
})

test('an unknown name brings the list as well; no job at all, a word on other users', () => {
  const unknown = complaintOf([job('a', 1)], 'b', 'others')
  assert.match(unknown.message, /^This user has no running job "b" on this machine\n {2}a {2}shell/)
  assert.is(unknown.hint, 'Name one of these.')

  const none = complaintOf([], undefined, 'others')
  assert.is(none.message, 'This user has no running job on this machine')
  assert.is(none.hint, 'others')
})

test.run()
