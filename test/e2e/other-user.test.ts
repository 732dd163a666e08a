/** Another user of the host, who makes files first, makes them again, or exchanges them. */

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import {
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findRegisteredJobs } from '../../lib/access/registered-jobs.ts'
import { encode, runAgent, runJob, startJob } from '../helpers/agent.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { createJobId } from '../helpers/job-id.ts'
import { onEveryHost } from '../helpers/protections.ts'
import { followLog, serveAgent, shellJob, whenFree } from '../helpers/served-agent.ts'

interface Context {
  directory: string
  home: string
}

const test = suite<Context>('other user')
const both = onEveryHost(test)

/** The other one. */
const OTHER = 65_534
const AS_OTHER = `setpriv --reuid=${OTHER} --regid=${OTHER} --clear-groups`
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me'

test.before.each(async (t) => {
  t.directory = await mkdtemp('/tmp/other-') // not in the runner's, which is closed to others
  t.home = join(t.directory, 'home')
  await mkdir(t.home)
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

test('where a job’s own directory was, nobody else can make one', async (t) => {
  const { events, result } = await runJob(
    {
      commands: [
        { directive: 'd=$(dirname "$(dirname "$(dirname "$(type -P cache)")")"); echo "$d"' },
        { directive: `rm -rf "$d"; ${AS_OTHER} mkdir -p "$d/toolbox" 2>/dev/null; echo "$?"` },
        { directive: 'checksum /etc/passwd >/dev/null && stat -c "%u %a" "$d"' },
      ],
    },
    { home: t.home },
  )

  assert.is(result, 'passed')
  const outputs = blocksOf(events).map(({ output }) => output)
  assert.match(outputs[2] ?? '', /^\/.*\/jobs\/[0-9a-f]{12}\n$/)
  assert.not.match(outputs[2] ?? '', /^\/tmp/)
  assert.is(outputs[3], '1\n')
  assert.is(outputs[4], '0 700\n')
})

both('without a home, a directory that another user has made again is not believed', async (t) => {
  const victim = join(t.directory, 'victim')
  const go = join(t.directory, 'go')
  await writeFile(victim, 'precious')
  await chown(t.directory, 54_321, 54_321)
  await chown(victim, 54_321, 54_321)
  const words = 'setpriv --reuid=54321 --regid=54321 --clear-groups'
  const job = await startJob(
    {
      commands: [
        { directive: 'd=$(dirname "$(dirname "$(dirname "$(type -P cache)")")"); echo "at $d"' },
        { directive: `rm -rf /tmp/agent-jobs-54321-*; echo gone; until [ -e ${go} ]; do :; done` },
        { directive: 'echo "not reached"' },
      ],
    },
    { home: '/nowhere', cwd: '/', prefix: words.split(' ') },
  )
  await waitFor(() => job.stdout.includes('gone\\n'), 'it has removed its directory')
  const [, directory = ''] = /at (\/tmp\/agent-jobs-54321-\S+?)\\n/.exec(job.stdout) ?? []

  await mkdir(join(directory, 'toolbox'), { recursive: true })
  await writeFile(join(directory, 'toolbox', 'requests'), '')
  await writeFile(join(directory, 'injected'), `${JSON.stringify({ path: victim })}\n`)
  execFileSync('chown', ['-R', String(OTHER), dirname(dirname(directory))])
  execFileSync('chmod', ['-R', '777', dirname(dirname(directory))])
  await writeFile(go, '')
  const { result, events } = await job.finished
  await rm(dirname(dirname(directory)), { recursive: true })

  assert.is(result, 'failed')
  assert.match(blocksOf(events).at(-1)?.output ?? '', "is somebody else's by now")
  assert.is(await readFile(victim, 'utf8'), 'precious')
})

for (const [title, mount] of [
  ['read-only', 'ro,mode=700'],
  ['full', 'size=4k,nr_inodes=1,mode=700'],
  ['closed to programs', 'noexec,mode=700'],
  ['another user’s', `uid=${OTHER},mode=700`],
] as const) {
  test(`where root's own place is ${title}, a job is in the next one, and its programs run`, async (t) => {
    const place = '/var/lib/agent'
    const over = `mkdir -p ${place}; mount -t tmpfs -o ${mount} none ${place}; exec "$@"`
    const { result, stdout } = await runJob(
      { commands: [{ directive: 'echo at; type -P cache; echo retry true | xargs retry' }] },
      { home: t.home, prefix: ['unshare', '--mount', 'sh', '-euc', over, 'sh'] },
    )

    assert.is(result, 'passed')
    assert.match(stdout, `at\\n${t.home}/.local/state/agent/jobs/`)
  })
}

test('a record that leads into another user’s directory removes nothing', async (t) => {
  const victim = join(t.directory, 'victim')
  const planted = join(t.directory, 'planted')
  await writeFile(victim, 'precious')
  await mkdir(planted)
  await writeFile(join(planted, 'injected'), `${JSON.stringify({ path: victim })}\n`)
  await chown(planted, OTHER, OTHER)
  let served = await serveAgent()
  try {
    const id = createJobId()
    await served.ask('POST', '/jobs', { body: shellJob(id, 'echo now; sleep 1000') })
    const records = join(served.directory, 'state', 'records')
    await waitFor(
      async () => (await served.ask('GET', `/jobs/${id}/log`)).text.includes('now\\n'),
      'the command runs',
    )
    const [name = ''] = await readdir(records)
    const record = JSON.parse(await readFile(join(records, name), 'utf8'))
    await rm(record.resources.directory, { recursive: true })
    record.resources.directory = planted
    served.agent.signal('SIGKILL')
    await served.agent.exited
    await writeFile(join(records, name), JSON.stringify(record))

    served = await serveAgent([], { directory: served.directory })
    await followLog(served, id)
    await whenFree(served)

    assert.is(await readFile(victim, 'utf8'), 'precious')
    assert.equal(await readdir(planted), ['injected'])
  } finally {
    await served.stop()
  }
})

test('in the home of another user root writes nothing, and says so', async (t) => {
  await chown(t.home, OTHER, OTHER)

  const { result, stderr, events } = await runJob(
    { ssh_public_keys: [encode(KEY)], commands: [{ directive: 'pwd' }] },
    { home: t.home },
  )

  assert.is(result, 'passed')
  assert.match(stderr, `${t.home} is another user's (HOME=${t.home}): nothing is written there`)
  assert.match(blocksOf(events)[0]?.output ?? '', 'Login shells will not have these variables')
  assert.is(blocksOf(events)[2]?.output, `${t.home}\n`)
  const made = (await readdir(t.home, { recursive: true })).filter((name) => /ssh|bash/.test(name))
  assert.equal(made, [])
})

for (const [what, prepare] of [
  ['file', async (path: string) => await writeFile(path, '')],
  ['link', async (path: string) => await symlink(`${path}-theirs`, path)],
  ['directory', async (path: string) => await mkdir(path)],
  ['link to a directory', async (path: string) => await symlink(dirname(path), path)],
] as const) {
  both(`no file is injected through another user’s ${what} where all may write`, async (t) => {
    const open = join(t.directory, 'open')
    await mkdir(open)
    execFileSync('chmod', ['1777', open])
    const path = join(open, 'theirs')
    await writeFile(`${path}-theirs`, '')
    await prepare(path)
    execFileSync('chown', ['-h', String(OTHER), path])
    const target = what.includes('directory') ? join(path, 'secret') : path

    const { result, events } = await runJob(
      {
        files: [
          { path: join(open, 'mine'), content: encode('mine'), mode: '0600' },
          { path: target, content: encode('secret'), mode: '0600' },
        ],
      },
      { home: t.home },
    )

    assert.is(result, 'failed')
    const output = blocksOf(events)[1]?.output ?? ''
    assert.match(output, `${path}, in a directory open to all, belongs to another user`)
    assert.is(await readFile(`${path}-theirs`, 'utf8'), '')
    assert.equal((await readdir(open)).sort(), ['theirs', 'theirs-theirs'])
    assert.equal(what === 'directory' ? await readdir(path) : [], [])
  })
}

both('what another user has put where an injected file was is not removed through', async (t) => {
  const open = join(t.directory, 'open')
  await mkdir(open)
  execFileSync('chmod', ['1777', open])
  const victim = join(t.directory, 'victim')
  await mkdir(victim)
  await writeFile(join(victim, 'file'), 'precious')
  const way = join(open, 'way')

  const { result } = await runJob(
    {
      files: [{ path: join(way, 'file'), content: encode('x'), mode: '0600' }],
      commands: [{ directive: `rm -r ${way}; ln -s ${victim} ${way}; chown -h ${OTHER} ${way}` }],
    },
    { home: t.home },
  )

  assert.is(result, 'passed')
  assert.is(await readFile(join(victim, 'file'), 'utf8'), 'precious')
})

test('after a power cut the keys and the profile line go with the next start', async (t) => {
  const id = createJobId()
  const profile = join(t.home, '.bash_profile')
  await writeFile(profile, 'echo mine')
  const job = await startJob(
    {
      job_id: id,
      ssh_public_keys: [encode(KEY)],
      env_vars: [{ name: 'A', value: encode('b') }],
      commands: [{ directive: 'echo now; sleep 1000' }],
    },
    { home: t.home },
  )
  await waitFor(() => job.stdout.includes('now\\n'), 'the command runs')
  assert.match(await readFile(profile, 'utf8'), '/env')
  const [noted] = (await findRegisteredJobs()).filter((it) => it.id === id)
  const { resources, leaders = [] } = noted ?? {}

  job.signal('SIGKILL')
  await job.exited
  for (const { pid } of leaders) process.kill(pid, 'SIGKILL')
  await rm(await realpath(join(noted?.directory ?? '', 'record'))) // never got to the disk
  await rm(noted?.directory ?? '', { recursive: true })
  await rm(resources?.directory ?? '', { recursive: true })
  const other = await startJob({ commands: [{ directive: 'true' }] }, { home: t.home })
  await other.finished

  assert.is(await readFile(profile, 'utf8'), 'echo mine')
  assert.not.ok(existsSync(join(t.home, '.ssh', 'authorized_keys')))
})

both('a FIFO in place of the agent’s log holds up neither the start nor a poll', async (t) => {
  const log = join(t.directory, 'log')
  execFileSync('chmod', ['1777', t.directory])
  execFileSync('mkfifo', [log])
  await chown(log, OTHER, OTHER)
  const held = await serveAgent(['--log-file-path', log])
  try {
    assert.match(held.agent.stderr, /warn .*The log cannot be written to .*\/log/)
    assert.is((await held.ask('GET', '/agent_logs')).status, 404)
  } finally {
    await held.stop()
  }

  await rm(log)
  const served = await serveAgent(['--log-file-path', log])
  try {
    await rename(log, `${log}-away`)
    execFileSync('mkfifo', [log])
    await chown(log, OTHER, OTHER)
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => served.ask('GET', '/agent_logs')),
    )

    for (const { status, text } of answers) {
      assert.is(status, 200)
      assert.match(text, 'listens on')
    }
    assert.is((await served.ask('GET', '/status')).status, 200)
  } finally {
    await served.stop()
  }
})

test('by default the agent’s log is in its state directory, closed to others', async () => {
  const served = await serveAgent([], { environment: { SEMAPHORE_AGENT_LOG_FILE_PATH: '' } })
  try {
    const { mode } = await stat(join(served.directory, 'state', 'agent.log'))

    assert.is(mode & 0o777, 0o600)
  } finally {
    await served.stop()
  }
})

both('a state directory that others can write to is refused', async (t) => {
  const state = join(t.directory, 'state')
  await mkdir(state)
  execFileSync('chmod', ['777', state])
  const secret = join(t.directory, 'secret')
  await writeFile(secret, 'a secret')
  const words = ['serve', '--port', '0', '--auth-token-secret-file', secret, '--state-dir', state]

  const open = await runAgent(words)
  execFileSync('chmod', ['1777', state])
  await writeFile(join(state, 'records'), '')
  await chown(join(state, 'records'), OTHER, OTHER)
  const planted = await runAgent(words)
  await chown(state, OTHER, OTHER)
  execFileSync('chmod', ['755', state])
  const foreign = await runAgent(words)

  assert.is(open.code, 2)
  assert.match(open.stderr, `${state}: other users can write to it`)
  assert.is(planted.code, 2)
  assert.match(planted.stderr, `${state}: records in it belongs to another user`)
  assert.is(foreign.code, 2)
  assert.match(foreign.stderr, `${state}: it belongs to another user`)
})

test.run()
