/** People in running jobs, over a real sshd: commands, terminals, and what they must not disturb. */

import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import type { JobEvent } from '../../lib/events/event.ts'
import { type FinishedJob, type RunningAgent, runJob, startJob } from '../helpers/agent.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { PLACES, type Place } from '../helpers/in-job.ts'
import { createJobId } from '../helpers/job-id.ts'
import { serveAgent } from '../helpers/served-agent.ts'
import { jobDirectory, jumpPointOf, type SshHost, startSshHost } from '../helpers/ssh.ts'

interface Context {
  directory: string
  home: string
  ssh: SshHost
  agents: RunningAgent[]
}

interface OpenJob extends RunningAgent {
  readonly id: string
  /** The script that leads into it. */
  readonly jump: string
  readonly finished: Promise<FinishedJob>
  /** Lets its last command end. */
  release(): Promise<FinishedJob>
}

const test = engineSuite<Context>('jump point')
const PROMPT = /[#$] $/
const encode = (text: string) => Buffer.from(text).toString('base64')

test.before(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'jump-'))
  t.home = join(t.directory, 'home')
  await mkdir(t.home)
  t.ssh = await startSshHost(t.home)
})

test.after(async (t) => {
  await t.ssh.close()
  await rm(t.directory, { recursive: true, force: true })
})

test.before.each(async (t) => {
  t.agents = []
})

test.after.each(async (t) => {
  for (const agent of t.agents) agent.signal('SIGTERM') // of a test that failed half-way
  await Promise.all(t.agents.map(({ exited }) => exited))
  assert.not.ok(existsSync(join(t.home, '.ssh', 'authorized_keys')))
  assert.not.ok(existsSync(join(t.home, '.bash_profile')))
})

const IN_CONTAINERS = (image = 'agent-test/debian') => ({
  executor: 'dockercompose',
  compose: { containers: [{ name: 'main', image }] },
})

const EXECUTORS: Readonly<Record<Place, object>> = {
  host: { executor: 'shell' },
  container: IN_CONTAINERS(),
}

/** Starts a job that says `ready` and waits; resolves when it has. */
async function openJob(
  t: Context,
  job: object,
  options: { args?: string[] } = {},
): Promise<OpenJob> {
  const id = createJobId()
  const file = `/tmp/release-${id}`
  const agent = await startJob(
    {
      job_id: id,
      ssh_public_keys: [t.ssh.publicKey],
      env_vars: [{ name: 'OF_JOB', value: encode('a b') }],
      commands: [
        { directive: 'cd /usr; mine=kept' },
        {
          alias: 'wait',
          directive: `echo ready; until [ -e ${file} ]; do sleep 0.05; done; rm ${file}`,
        },
        { directive: 'echo "$PWD $mine"' },
      ],
      ...job,
    },
    { home: t.home, ...options },
  )
  t.agents.push(agent)
  const jump = await jumpPointOf(id, t.directory)
  await waitFor(() => agent.stdout.includes('ready\\n"'), 'the job runs')
  return Object.assign(agent, {
    id,
    jump,
    release: async () => {
      await t.ssh.run(`bash ${jump} touch ${file}`)
      return await agent.finished
    },
  })
}

const outputOf = (events: readonly JobEvent[], directive: string) =>
  blocksOf(events).find((block) => block.directive === directive)?.output ?? ''

for (const place of PLACES) {
  const executor = EXECUTORS[place]

  test(`${place}: a command has its words, the job's variables, and gives its status`, async (t) => {
    const job = await openJob(t, executor)

    const words = await t.ssh.run(`bash ${job.jump} printf '<%s>' 'a b' '' '*' --help`)
    const variable = await t.ssh.run(`bash ${job.jump} printenv OF_JOB`)
    const status = await t.ssh.run(`bash ${job.jump} sh -c 'echo bad >&2; exit 7'`)
    const killed = await t.ssh.run(`bash ${job.jump} sh -c 'kill -9 $$'`)
    const { result, events } = await job.release()

    assert.equal(killed, { code: 137, stdout: '', stderr: '' })
    assert.equal(words, { code: 0, stdout: '<a b><><*><--help>', stderr: '' })
    assert.is(variable.stdout, 'a b\n')
    assert.equal(status, { code: 7, stdout: '', stderr: 'bad\n' })
    assert.is(result, 'passed')
    assert.is(outputOf(events, 'echo "$PWD $mine"'), '/usr kept\n')
  })

  test(`${place}: a person has a terminal of the right size, Ctrl-C, Ctrl-D and UTF-8`, async (t) => {
    const job = await openJob(t, executor)

    const person = t.ssh.open(`bash ${job.jump}`)
    await person.sees(PROMPT)
    person.type('stty size; shopt -q login_shell && echo "login $OF_JOB"\r')
    await person.sees('\r50 200\r\nlogin a b\r\n')
    await person.resize(123, 45)
    person.type('until stty size | grep "45 123"; do :; done\r')
    await person.sees('\r45 123\r\n')
    person.type('sh -c "echo up-$((1 + 1)); exec sleep 1000"\r')
    await person.sees('up-2\r\n')
    person.type('\x03')
    person.type('echo "status $?"\r')
    await person.sees('status 130')
    person.type('echo "<Grüße 世界>" | cat\r')
    await person.sees('\r<Grüße 世界>\r\n')
    person.type('sh -c "echo nine-$((8 + 1)); exit 9"\r')
    await person.sees('nine-9\r\n')
    await person.sees(PROMPT) // what is typed before it is there ends nothing
    person.type('\x04')
    const code = await person.ends()
    const { result, events } = await job.release()

    assert.is(code, 9)
    assert.is(result, 'passed')
    assert.match(outputOf(events, 'wait'), /^Running: .*\nready\n$/)
  })

  test(`${place}: Ctrl-C ends a command that lets it, and gives 130`, async (t) => {
    const job = await openJob(t, executor)

    const program =
      'trap "echo int" INT; echo up; until read x; do :; done; trap - INT; echo on; exec sleep 1000'
    const person = t.ssh.open(`bash ${job.jump} bash -c '${program}'`)
    await person.sees('up')
    person.type('\x03')
    await person.sees('int')
    person.type('go\r')
    await person.sees('on')
    person.type('\x03')
    const code = await person.ends()
    await job.release()

    assert.is(code, 130)
    assert.not.match(person.screen, 'line ')
  })

  test(`${place}: a megabyte arrives whole, piped or pasted`, async (t) => {
    const job = await openJob(t, executor)
    const blob = randomBytes(1_000_000)
    const lines = `${'x'.repeat(99)}\n`.repeat(10_000)
    const sum = (bytes: Buffer | string) => createHash('sha1').update(bytes).digest('hex')

    const piped = await t.ssh.run(`bash ${job.jump} sha1sum`, blob)
    const person = t.ssh.open(`bash ${job.jump} bash -c 'stty -echo; echo go; cat | sha1sum'`)
    await person.sees('go')
    person.type(lines)
    person.type('\x04')
    await person.sees(/[0-9a-f]{40}/)
    await person.ends()
    await job.release()

    assert.is(piped.stdout, `${sum(blob)}  -\n`)
    assert.match(person.screen, sum(lines))
  })

  test(`${place}: when the job is over, the key is refused and the script says so`, async (t) => {
    const job = await openJob(t, executor)
    const during = await t.ssh.run('true')
    await job.release()

    const after = await t.ssh.run('true')
    await mkdir(join(t.home, '.ssh'), { mode: 0o700 })
    await writeFile(join(t.home, '.ssh', 'authorized_keys'), Buffer.from(t.ssh.publicKey, 'base64'))
    const script = await t.ssh.run(`bash ${job.jump}`)
    await rm(join(t.home, '.ssh'), { recursive: true })

    assert.is(during.code, 0)
    assert.is(after.code, 255)
    assert.match(after.stderr, 'Permission denied')
    assert.equal(script, {
      code: 1,
      stdout: '',
      stderr: 'The job is over: there is nothing left to get into.\n',
    })
  })
}

test('before the container is up, there is a word and dots, then the shell', async (t) => {
  const id = createJobId()
  const file = join(t.directory, 'setup')
  const { compose } = IN_CONTAINERS()
  const setup = [{ directive: `until [ -e ${file} ]; do sleep 0.05; done` }]
  const agent = await startJob(
    {
      job_id: id,
      ssh_public_keys: [t.ssh.publicKey],
      executor: 'dockercompose',
      compose: { ...compose, host_setup_commands: setup },
      commands: [{ directive: 'until [ -e /tmp/release ]; do sleep 0.05; done' }],
    },
    { home: t.home },
  )
  t.agents.push(agent)
  const jump = await jumpPointOf(id, t.directory)

  const person = t.ssh.open(`bash ${jump} touch /tmp/release`)
  await person.sees('Waiting for the container to start up..')
  await writeFile(file, '')
  const code = await person.ends()
  const { result } = await agent.finished

  assert.is(code, 0)
  assert.match(person.screen, /up\.+\r\n$/)
  assert.is(result, 'passed')
})

test('a job that ends before its container is up sends away who waits for it', async (t) => {
  const id = createJobId()
  const file = join(t.directory, 'refuse')
  const { compose } = IN_CONTAINERS()
  const setup = [{ directive: `until [ -e ${file} ]; do sleep 0.05; done; exit 1` }]
  const agent = await startJob(
    {
      job_id: id,
      ssh_public_keys: [t.ssh.publicKey],
      executor: 'dockercompose',
      compose: { ...compose, host_setup_commands: setup },
    },
    { home: t.home },
  )
  t.agents.push(agent)
  const jump = await jumpPointOf(id, t.directory)

  const person = t.ssh.open(`bash ${jump}`)
  await person.sees('Waiting for the container to start up')
  await writeFile(file, '')
  const code = await person.ends()
  await agent.finished

  assert.is.not(code, 0)
  assert.match(person.screen, 'The job is over')
})

test('programs that paint the screen work: top, vi', async (t) => {
  const job = await openJob(t, IN_CONTAINERS('agent-test/screen'))

  const person = t.ssh.open(`bash ${job.jump}`)
  await person.sees(PROMPT)
  person.type('top\r')
  await person.sees('%CPU')
  person.type('q')
  await person.sees(PROMPT)
  person.type('vi /tmp/letter\r')
  await person.sees('~')
  person.type('iGrüße\x1b:wq\r')
  await person.sees(/written/)
  person.type('od -An -tx1 /tmp/letter\r')
  await person.sees('47 72 c3 bc c3 9f 65 0a')
  person.type('exit\r')
  await person.ends()
  await job.release()
})

test('bash 5.1 and an image with nothing but bash: a terminal of the right size', async (t) => {
  for (const image of ['agent-test/old-bash', 'agent-test/bare']) {
    const id = createJobId()
    const agent = await startJob(
      {
        job_id: id,
        ssh_public_keys: [t.ssh.publicKey],
        ...IN_CONTAINERS(image),
        commands: [
          { directive: 'until [[ -e /tmp/release ]]; do read -t 0.05 <> <(:); done; true' },
        ],
      },
      { home: t.home },
    )
    t.agents.push(agent)
    const jump = await jumpPointOf(id, t.directory)

    const command = `shopt -s checkwinsize; (:); echo "$LINES x $COLUMNS"; : >/tmp/release`
    const person = t.ssh.open(`bash ${jump} bash -c '${command}'`)
    const code = await person.ends()
    const { result } = await agent.finished

    assert.is(code, 0, image)
    assert.match(person.screen, '50 x 200')
    assert.is(result, 'passed')
  }
})

test('a stopped job does not wait for the shell of somebody inside', async (t) => {
  const job = await openJob(t, IN_CONTAINERS(), { args: ['--stop-grace-period', '10m'] })
  const person = t.ssh.open(`bash ${job.jump}`)
  await person.sees(PROMPT)

  job.signal('SIGTERM')
  const { result } = await job.finished

  assert.is(result, 'stopped')
  assert.is.not(await person.ends(), 0)
})

test('a lost connection ends what ran on it, and only that', async (t) => {
  const job = await openJob(t, IN_CONTAINERS())
  const count = async () => {
    const { stdout } = await t.ssh.run(`bash ${job.jump} sh -c 'cat /proc/[0-9]*/cmdline'`)
    return stdout.split('sleep\x001234').length - 1
  }
  const person = t.ssh.open(`bash ${job.jump}`)
  await person.sees(PROMPT)
  person.type('sleep 1234 & sleep 1234\r')
  await waitFor(async () => (await count()) === 2, 'both run')

  process.kill(person.pid, 'SIGKILL')
  await waitFor(async () => (await count()) === 0, 'neither runs')
  const { result } = await job.release()

  assert.is(result, 'passed')
})

test('somebody else than the user of the job is told whose it is', async (t) => {
  const job = await openJob(t, { executor: 'shell' })
  const script = await readFile(job.jump, 'utf8')

  const words = ['--reuid=65534', '--regid=65534', '--clear-groups', 'bash', '-c', script]
  // A home of its own: a bash whose input is a socket, as here, may read ~/.bashrc, which is root's.
  const env = { ...process.env, HOME: '/nonexistent' }
  const refused = promisify(execFile)('setpriv', words, { env }).catch((error: unknown) => error)
  const { code, stderr } = (await refused) as { code: number; stderr: string }
  await job.release()

  assert.is(code, 1)
  assert.is(stderr, `This job is of user ${userInfo().username}: log in as that one.\n`)
})

test('a key that cannot be decoded is named in the agent’s log, and the others count', async (t) => {
  const { finished } = await openJobWithKeys(t, ['***', t.ssh.publicKey])
  const { result, stderr } = await finished

  assert.is(result, 'passed')
  assert.match(stderr, /agent: warn: A public key of the job is ignored: .*ssh_public_keys\[0\]/)
})

async function openJobWithKeys(t: Context, keys: readonly string[]) {
  const job = await openJob(t, { executor: 'shell', ssh_public_keys: keys })
  assert.is((await t.ssh.run('true')).code, 0)
  return { finished: job.release() }
}

test('keys of an agent that was killed are gone when the next job starts', async (t) => {
  const job = await openJob(t, {
    executor: 'shell',
    commands: [{ directive: 'echo ready; read -t 20 <> <(:)' }],
  })
  const keys = join(t.home, '.ssh', 'authorized_keys')
  assert.ok(existsSync(keys))

  job.signal('SIGKILL')
  await job.exited
  assert.ok(existsSync(keys))
  await runJob({ commands: [{ directive: 'true' }] }, { home: t.home })

  assert.not.ok(existsSync(keys))
  assert.is(await jobDirectory(job.id), undefined)
  assert.not.ok(existsSync(join(t.home, '.bash_profile')))
})

test('agent serve opens a way into each job, and closes it for one that it was killed in', async (t) => {
  const served = await serveAgent()
  const keys = join(served.directory, 'home', '.ssh', 'authorized_keys')
  const submit = async (rest: object) => {
    const id = createJobId()
    const commands = [{ directive: 'sleep 1000' }]
    await served.ask('POST', '/jobs', { body: JSON.stringify({ job_id: id, commands, ...rest }) })
    return { id, jump: await jumpPointOf(id, t.directory) }
  }
  let successor = served
  try {
    const first = await submit({})
    assert.not.ok(existsSync(keys))
    await served.ask('POST', '/stop')
    await waitFor(async () => (await jobDirectory(first.id)) === undefined, 'the way in is closed')

    const second = await submit({ ssh_public_keys: [t.ssh.publicKey] })
    assert.ok(existsSync(keys))
    successor = await served.killAndRestart()

    await waitFor(() => !existsSync(keys), 'its keys are gone')
    await waitFor(async () => (await jobDirectory(second.id)) === undefined, 'so is the rest')
  } finally {
    await successor.stop()
  }
})

test('a job of agent run without keys leaves the script of others alone', async (t) => {
  const job = await openJob(t, { executor: 'shell' })
  const before = await readFile(job.jump, 'utf8')

  await runJob({ commands: [{ directive: 'true' }] })
  const after = await readFile(await jumpPointOf(job.id, t.directory), 'utf8')
  await job.release()

  assert.is(after, before)
})

test.run()
