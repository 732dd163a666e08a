/** Processes of a job on this host that shed all by which they could be known: they end with it. */

import { chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type RunOptions, runJob, startJob } from '../helpers/agent.ts'
import { containerJob } from '../helpers/container-job.ts'
import { blocksOf } from '../helpers/events.ts'
import { processesMatching, waitFor } from '../helpers/host.ts'
import { openPrivateState } from '../helpers/private-state.ts'

interface Context {
  home: string
  /** In the command line of everything that has to end. */
  mark: string
}

const test = suite<Context>('daemons')

test.before.each(async (t) => {
  t.home = await mkdtemp('/tmp/home-') // not in the runner's directory, which is closed to others
  t.mark = `1000.${Math.floor(Math.random() * 1e9)}`
})

test.after.each(async (t) => {
  await rm(t.home, { recursive: true, force: true })
})

/** Without environment, session and parent; by a double fork; one that replaces itself all the time. */
const daemons = (mark: string): string => `env -i setsid -f sleep ${mark}
env -i perl -MPOSIX -e 'fork and exit; setsid; fork and exit; exec "sleep", "${mark}"'
${chain(mark, 'env -i')}`

/** Each link starts the next one, and ends. */
const chain = (mark: string, environment = ''): string =>
  `${environment} setsid -f bash -c 'link() { : ${mark}; sleep 0.02; (link) & }; link'`

/** Has made them, and waits to be stopped. */
const waiting = (text: string): object => ({
  commands: [{ directive: `${text}\necho ready; sleep 1000` }],
})

for (const [name, options] of [
  ['version 2', {}],
  [
    'version 1 alone',
    {
      prefix: ['unshare', '--mount', 'bash', '-c', 'umount /sys/fs/cgroup/unified; exec "$@"', '-'],
    },
  ],
] satisfies readonly [string, RunOptions][]) {
  test(`control groups of ${name}: they end with the job, and leave no group`, async (t) => {
    const group = `cat /proc/self/cgroup; ls -d /sys/fs/cgroup/*/agent-job-* /sys/fs/cgroup/agent-job-*`
    const job = { commands: [{ directive: `${daemons(t.mark)}\n${group} 2>/dev/null || true` }] }

    const { events, result, stderr } = await runJob(job, { home: t.home, ...options })

    const output = blocksOf(events)[2]?.output ?? ''
    assert.is(result, 'passed', stderr)
    assert.match(output, /agent-job-/)
    assert.equal(processesMatching(t.mark), [])
    await assertGone(output)
  })

  test(`control groups of ${name}: they end with a stop`, async (t) => {
    const job = await startJob(waiting(daemons(t.mark)), { home: t.home, ...options })
    await waitFor(() => job.stdout.includes('ready\\n'), 'they run')
    assert.ok(processesMatching(t.mark).length > 0)

    job.signal('SIGINT')
    await job.finished

    assert.equal(processesMatching(t.mark), [])
  })
}

test('they end when the next agent starts, if their own was killed', async (t) => {
  const state = await openPrivateState()
  const options = { home: t.home, prefix: state.prefix }
  const job = await startJob(waiting(`${daemons(t.mark)}; cat /proc/self/cgroup`), options)
  await waitFor(() => job.stdout.includes('ready\\n'), 'they run')

  job.signal('SIGKILL')
  await job.exited
  assert.ok(processesMatching(t.mark).length > 0)
  await runJob({ commands: [] }, options)
  await state.close()

  assert.equal(processesMatching(t.mark), [])
  await assertGone(job.stdout)
})

test('commands that set the host up are in the group from their first step on', async (t) => {
  const setup = { host_setup_commands: [{ directive: daemons(t.mark) }] }
  const job = containerJob({ image: 'agent-test/none-such' }, ['true'], { compose: setup })

  const { result } = await runJob(job, { home: t.home })

  assert.is(result, 'failed') // for want of the image: nothing more is needed
  assert.equal(processesMatching(t.mark), [])
})

test('without permission for groups, all that keep the environment or the session end', async (t) => {
  await chown(t.home, 54_321, 54_321)
  const user = ['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups']
  const text = `setsid -f sleep ${t.mark}; env -i sleep ${t.mark} & ${chain(t.mark)}`
  const job = { commands: [{ directive: text }] }

  const { result, stderr } = await runJob(job, { home: t.home, prefix: user, cwd: t.home })

  assert.is(result, 'passed', stderr)
  assert.equal(processesMatching(t.mark), [])
})

test.run()

async function assertGone(text: string): Promise<void> {
  const [name] = /agent-job-\w+/.exec(text) ?? []
  for (const parent of ['', 'unified', 'freezer']) {
    const groups = await readdir(join('/sys/fs/cgroup', parent)).catch((): string[] => [])
    assert.not.ok(name === undefined || groups.includes(name), `${parent}/${name} is still there`)
  }
}
