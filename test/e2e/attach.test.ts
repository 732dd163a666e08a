/** People on the machine itself: in a running job, and in one that failed and is held for them. */

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import * as assert from 'uvu/assert'
import { encode, type RunningAgent, runAgent, startAgent, startJob } from '../helpers/agent.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { processesMatching, waitFor } from '../helpers/host.ts'
import { createJobId } from '../helpers/job-id.ts'
import { jobDirectory } from '../helpers/ssh.ts'
import { startAtTerminal } from '../helpers/terminal.ts'

interface Context {
  home: string
  agents: RunningAgent[]
}

const test = engineSuite<Context>('attach')
const BINARY = resolve('dist/agent')
const PROMPT = /[#$] $/

test.before(async (t) => {
  t.home = await mkdtemp(join(tmpdir(), 'home-'))
})

test.after(async ({ home }) => {
  await rm(home, { recursive: true, force: true })
})

test.before.each(async (t) => {
  t.agents = []
})

test.after.each(async (t) => {
  for (const agent of t.agents) agent.signal('SIGTERM') // of a test that failed half-way
  await Promise.all(t.agents.map(({ exited }) => exited))
})

const WAIT = { directive: 'echo ready; until [ -e ~/release ]; do sleep 0.05; done' }

const IN_CONTAINERS = {
  executor: 'dockercompose',
  compose: {
    containers: [
      { name: 'main', image: 'agent-test/debian' },
      { name: 'tiny', image: 'agent-test/no-bash', command: 'sleep 1000' },
    ],
  },
}

async function openJob(t: Context, job: object, args: readonly string[] = []) {
  const id = createJobId()
  const variables = [{ name: 'OF_JOB', value: encode('a b') }]
  const agent = await startJob(
    { job_id: id, env_vars: variables, commands: [WAIT], ...job },
    { args, home: t.home },
  )
  t.agents.push(agent)
  return Object.assign(agent, { id })
}

test('in containers: a command in the main one, a shell in a service without bash', async (t) => {
  const job = await openJob(t, IN_CONTAINERS)
  await waitFor(() => job.stdout.includes('"ready\\n"'), 'the job runs')

  const main = await runAgent(['attach', job.id, '--', 'sh', '-c', 'echo "$OF_JOB"; exit 7'])
  const tiny = startAtTerminal(BINARY, ['attach', job.id, '--container', 'tiny'])
  await tiny.sees('# ')
  tiny.type('stty size; echo "$0"; exit 5\r')
  const code = await tiny.ends()
  await runAgent(['attach', job.id, '--', 'touch', '/root/release'])
  const { result } = await job.finished

  assert.equal(main, { code: 7, stdout: 'a b\n', stderr: '' })
  assert.is(code, 5)
  assert.match(tiny.screen, /50 200\r\nsh\r\n/)
  assert.is(result, 'passed')
})

test('in containers: who comes while cache moves files waits for it, and is told', async (t) => {
  const cacheDirectory = await mkdtemp(join(tmpdir(), 'cache-'))
  const store = 'cd; truncate -s 100G huge; timeout 6 cache store key huge || rm huge'
  const commands = [{ directive: store }, WAIT]
  const job = await openJob(t, { ...IN_CONTAINERS, commands }, ['--cache-dir', cacheDirectory])
  await waitFor(
    async () => (await readdir(cacheDirectory, { recursive: true })).join().includes('.part'),
    'the archive is being written',
  )

  const session = await runAgent(['attach', job.id, '--', 'touch', '/root/release'])
  const { result } = await job.finished

  await rm(cacheDirectory, { recursive: true })
  assert.is(session.code, 0)
  assert.match(session.stderr, /^Waiting for the engine, which may be moving files\.+\n$/)
  assert.is(result, 'passed')
})

test('on the host: a shell at the person’s own terminal', async (t) => {
  const job = await openJob(t, { commands: [{ directive: 'echo ready; sleep 1000' }] })
  await waitFor(() => job.stdout.includes('"ready\\n"'), 'the job runs')

  const person = startAtTerminal(BINARY, ['attach', job.id])
  await person.sees(PROMPT)
  person.type('shopt -q login_shell && sh -c "stty size; exec sleep 1000"\r')
  await person.sees('50 200\r\n')
  person.type('\x03')
  person.type('exit 6\r')
  const code = await person.ends()
  job.signal('SIGTERM')
  await job.finished

  assert.is(code, 6)
})

test('on the host: the keys that end programs are for the program, which may go on', async (t) => {
  const job = await openJob(t, { commands: [{ directive: 'echo ready; sleep 1000' }] })
  await waitFor(() => job.stdout.includes('"ready\\n"'), 'the job runs')

  const program =
    'trap "echo int" INT; trap "echo quit" QUIT; echo up; until read x; do :; done; exit 6'
  const person = startAtTerminal(BINARY, ['attach', job.id, '--', 'bash', '-c', program])
  await person.sees('up')
  for (const [key, said] of [
    ['\x03', 'int'],
    ['\x1c', 'quit'],
    ['\x03', 'int'],
  ] as const) {
    person.type(key)
    await person.sees(said)
  }
  person.type('go\r')
  const code = await person.ends()
  job.signal('SIGTERM')
  await job.finished

  assert.is(code, 6)
})

test('whose window is closed, or who is asked to leave, leaves nothing running in any container', async (t) => {
  const job = await openJob(t, IN_CONTAINERS)
  await waitFor(() => job.stdout.includes('"ready\\n"'), 'the job runs')
  const marker = `sleep 1234.${process.pid}`
  const runs = () => processesMatching(marker).includes(marker)

  for (const container of ['main', 'tiny']) {
    const words = ['attach', job.id, '--container', container]
    const person = startAtTerminal(BINARY, words)
    await person.sees('# ')
    person.type(`${marker}\r`)
    await waitFor(runs, 'it runs on the terminal')
    person.hangUp()
    await waitFor(() => !runs(), `it has ended in ${container}`)

    const script = await startAgent([...words, '--', ...marker.split(' ')])
    await waitFor(runs, 'it runs on pipes')
    script.signal('SIGTERM')
    assert.is((await script.exited).code, 143)
    await waitFor(() => !runs(), `it has ended in ${container}`)
  }
  job.signal('SIGTERM')
  await job.finished
})

test('a service that has ended is told, instead of waited for', async (t) => {
  const [main, tiny] = IN_CONTAINERS.compose.containers
  const command = "sh -c 'until [ -e /end ]; do sleep 0.1; done'"
  const containers = [main, { ...tiny, command }]
  const job = await openJob(t, { executor: 'dockercompose', compose: { containers } })
  await waitFor(() => job.stdout.includes('"ready\\n"'), 'the job runs')
  const attachToService = (...argv: string[]) =>
    runAgent(['attach', job.id, '--container', 'tiny', '--', ...argv])

  await attachToService('touch', '/end')
  let session = await attachToService('true')
  while (session.code === 0) session = await attachToService('true')
  job.signal('SIGTERM')
  await job.finished

  assert.is(session.code, 2)
  assert.match(session.stderr, /(has ended|is gone) \[ERR_CONTAINER_FAILED\]\n/)
})

test('a container that the job does not have is told at once, with those that it has', async (t) => {
  const job = await openJob(t, IN_CONTAINERS)
  await waitFor(() => job.stdout.includes('"ready\\n"'), 'the job runs')

  const { code, stderr } = await runAgent(['attach', job.id, '--container', 'nope'])
  job.signal('SIGTERM')
  await job.finished

  assert.is(code, 2)
  assert.is(
    stderr,
    `agent: Job "${job.id}" has no container "nope" [ERR_CONTAINER_FAILED]\nIt has: main, tiny.\n`,
  )
})

test('a job that does not run is told, with those that do', async (t) => {
  const job = await openJob(t, { commands: [{ directive: 'echo ready; sleep 1000' }] })
  await waitFor(() => job.stdout.includes('"ready\\n"'), 'the job runs')

  const { code, stderr } = await runAgent(['attach', 'no-such-job'])

  assert.is(code, 2)
  assert.match(
    stderr,
    'agent: This user has no running job "no-such-job" on this machine [ERR_JOB_NOT_RUNNING]\n',
  )
  assert.match(stderr, job.id)
})

test('a failed job is held until the attach session has ended, with everything it had', async (t) => {
  const failing = [{ directive: 'touch ~/trace' }, { directive: 'exit 3' }]
  for (const executor of [{ executor: 'shell' }, IN_CONTAINERS]) {
    const job = await openJob(t, { ...executor, commands: failing }, ['--hold', '10m'])
    await waitFor(() => job.stderr.includes('agent attach '), 'the log says how to get in')
    assert.match(job.stdout, '"job_finished"')

    const call = /agent (attach \S+)/.exec(job.stderr)?.[1] ?? ''
    const session = await runAgent([...call.split(' '), '--', 'sh', '-c', 'echo "$OF_JOB"'], {
      home: t.home,
    })
    const { code, result } = await job.finished

    assert.equal(session, { code: 0, stdout: 'a b\n', stderr: '' })
    assert.equal({ code, result }, { code: 1, result: 'failed' })
    assert.is(await jobDirectory(job.id), undefined)
  }
})

test('Ctrl-C ends the hold, and so does its time; the result stays', async (t) => {
  const job = await openJob(t, { commands: [{ directive: 'false' }] }, ['--hold', '10m'])
  await waitFor(() => job.stderr.includes('agent attach '), 'the job is held')
  job.signal('SIGINT')
  const asked = await job.finished

  const short = await openJob(t, { commands: [{ directive: 'false' }] }, ['--hold', '50ms'])
  const over = await short.finished

  assert.equal([asked.code, asked.result], [1, 'failed'])
  assert.equal([over.code, over.result], [1, 'failed'])
  assert.match(over.stderr, 'agent attach ')
})

test('what passed, was stopped or never began is not held', async (t) => {
  const { compose } = IN_CONTAINERS
  const setup = { ...compose, host_setup_commands: [{ directive: 'exit 1' }] }
  const passed = await openJob(t, { commands: [{ directive: 'true' }] }, ['--hold', '10m'])
  const unable = await openJob(t, { ...IN_CONTAINERS, compose: setup }, ['--hold', '10m'])
  const stopped = await openJob(t, { commands: [{ directive: 'echo ready; sleep 1000' }] }, [
    '--hold',
    '10m',
  ])
  await waitFor(() => stopped.stdout.includes('"ready\\n"'), 'the job runs')
  stopped.signal('SIGTERM')

  assert.is((await passed.finished).result, 'passed')
  assert.is((await unable.finished).result, 'failed')
  assert.is((await stopped.finished).result, 'stopped')
})

test.run()
