/** `agent doctor` on this machine, and on worse ones. */

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Finding } from '../../lib/checks/check.ts'
import { type Exit, type RunOptions, runAgent } from '../helpers/agent.ts'
import { processesMatching } from '../helpers/host.ts'
import { withAgent } from '../helpers/served-agent.ts'
import { fakeDaemon } from '../unit/docker/fake-daemon.ts'
import { FIRST_CERTIFICATE, SECOND_CERTIFICATE } from '../unit/http/certificates.ts'

interface Context {
  directory: string
  /** Flags that make the agent find a port and a state directory of its own. */
  flags: string[]
}

const BINARY = resolve('dist/agent')
const LIMIT_MS = 30_000
const NOBODY = 65_534

const test = suite<Context>('doctor')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'doctor-'))
  t.flags = ['--port', '0', '--state-dir', join(t.directory, 'state')]
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

test('a good machine gets 0, a table with every area, and nothing is left on it', async (t) => {
  const { code, stdout, stderr } = await runAgent(['doctor', ...t.flags], given(t))

  assert.is(code, 0, stdout)
  assert.is(stderr, '')
  assert.match(stdout, /^This machine$/m)
  assert.match(stdout, /^Jobs on this host \(executor: shell\)\n {2}ok {7}bash {9}\S+\/bash, vers/m)
  assert.match(stdout, /^ {2}ok {7}engine {7}\S+ \d+\.\S+, API [\d.]+ to [\d.]+ /m)
  assert.match(stdout, /^ {2}ok {7}secret {7}is given$/m)
  assert.match(stdout, /\n0 problems, \d+ warnings?, \d+ ok\n$/)
  assert.equal(await readdir(t.directory), [])
})

test('--format json is the same for programs', async (t) => {
  const { code, stdout } = await runAgent(['doctor', '--format', 'json', ...t.flags], given(t))

  const { state, findings } = JSON.parse(stdout)
  assert.is(code, 0)
  assert.is.not(state, 'problem')
  for (const { area, subject, message } of findings) {
    assert.ok(['machine', 'shell', 'dockercompose', 'serve'].includes(area))
    assert.type(subject, 'string')
    assert.type(message, 'string')
  }
  assert.equal(
    findings.map(({ subject }: Finding) => subject),
    [
      'agent',
      'memory',
      'disk',
      'clock',
      'bash',
      'terminal',
      'login',
      'git',
      'socket',
      'engine',
    ].concat(['storage', 'settings', 'secret', 'port', 'certificate', 'state']),
  )
})

test('bash that is not on PATH is a problem; git is not', async (t) => {
  const { code, find } = await examine(t, { environment: { PATH: t.directory } })

  assert.is(code, 1)
  assert.is(find('bash')?.state, 'problem')
  assert.match(find('bash')?.remedy ?? '', 'Install the package bash')
  assert.is(find('login'), undefined)
  assert.is(find('git')?.state, 'warning')
})

test('a machine without an engine runs shell jobs: a warning', async (t) => {
  // The default socket is hidden from the agent alone, in a mount namespace of its own.
  const { code, find } = await examineBy(['unshare', '--mount', 'sh', '-c', HIDE_RUN, 'sh'], t)

  assert.is(code, 0)
  assert.is(find('socket')?.state, 'warning')
  assert.match(find('socket')?.remedy ?? '', 'Install Docker Engine 20.10 or newer')
  assert.is(find('engine'), undefined)
})

const HIDE_RUN = 'mount -t tmpfs none /run && exec "$@"'

test('a socket that was named and is not there, or that nobody listens on, is a problem', async (t) => {
  const socket = join(t.directory, 'docker.sock')
  const environment = { DOCKER_HOST: `unix://${socket}` }

  const absent = await examine(t, { environment })
  await leaveDeadSocket(socket)
  const dead = await examine(t, { environment })

  assert.is(absent.code, 1)
  assert.is(absent.find('socket')?.message, `there is no ${socket}`)
  assert.is(dead.code, 1)
  assert.is(dead.find('socket')?.message, `nothing answers on ${socket}`)
  assert.match(dead.find('socket')?.remedy ?? '', 'systemctl start docker')
})

test('a user who may not use the socket is told the group', async () => {
  const { code, find } = await examineBy(
    ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'],
    { flags: ['--port', '0', '--state-dir', join(tmpdir(), 'doctor-nobody')] },
  )

  assert.is(code, 1)
  assert.match(find('socket')?.message ?? '', 'user nobody may not use /var/run/docker.sock')
  assert.match(find('socket')?.remedy ?? '', 'usermod -aG docker nobody')
})

test('an engine of another time is a problem, with the versions', async (t) => {
  const daemon = await fakeDaemon({ ApiVersion: '1.99', MinAPIVersion: '1.80' })
  try {
    const environment = { DOCKER_HOST: `unix://${daemon.socketPath}` }
    const { code, find } = await examine(t, { environment })

    assert.is(code, 1)
    assert.match(find('engine')?.message ?? '', 'speaks API 1.80 or newer, the agent up to')
    assert.is(find('engine')?.remedy, 'Update the agent.')
  } finally {
    await daemon.close()
  }
})

test('an engine that never answers and a login script that waits hold nothing up for long', async (t) => {
  const marker = `sleep 1000.${process.pid}`
  await writeFile(join(t.directory, '.bash_profile'), `${marker}\n`)
  const socket = join(t.directory, 'docker.sock')
  const server = createServer(() => undefined)
  server.listen(socket)
  await once(server, 'listening')
  try {
    const { code, find } = await examine(t, {
      home: t.directory,
      environment: { DOCKER_HOST: `unix://${socket}` },
    })

    assert.is(code, 1)
    assert.is(find('engine')?.message, 'did not finish within 5 s')
    assert.match(find('login')?.message ?? '', 'does not become ready')
    assert.match(find('login')?.remedy ?? '', '.bash_profile')
    assert.is(find('port')?.state, 'ok')
    assert.equal(processesMatching(marker), [])
  } finally {
    server.close()
  }
})

test('a port of another program is a problem', async (t) => {
  const other = createServer((socket) => socket.end('hello\n'))
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  try {
    const taken = await examine(t, {}, ['--host', '127.0.0.1', '--port', portOf(other)])

    assert.is(taken.code, 1)
    assert.is(
      taken.find('port')?.message,
      `127.0.0.1:${portOf(other)} is in use by another program`,
    )
    assert.match(taken.find('port')?.remedy ?? '', 'ss -ltnp')
  } finally {
    other.close()
  }
})

test('an agent that serves is found at its port and in its state directory', async (t) => {
  await withAgent(async ({ port, directory, agent, ask }) => {
    const address = ['--host', '127.0.0.1', '--port', String(port)]
    const state = join(directory, 'state')

    const { code, find } = await examine(t, {}, [...address, '--state-dir', state])

    assert.is(code, 0)
    assert.is(find('port')?.message, `127.0.0.1:${port} is already in use by an agent`)
    assert.is(find('state')?.message, `${state}, in use by the agent with process id ${agent.pid}`)
    assert.is(find('certificate')?.message, `its own, ${join(state, 'server.crt')}`)
    assert.is((await ask('GET', '/status')).status, 200)
  })
})

test('a host that is not an address of this machine is a problem', async (t) => {
  const { code, find } = await examine(t, {}, ['--host', '192.0.2.1'])

  assert.is(code, 1)
  assert.is(find('port')?.message, '192.0.2.1 is not an address of this machine')
})

test('a certificate is looked at: its key, its dates, who can read it', async (t) => {
  const cert = join(t.directory, 'server.crt')
  const key = join(t.directory, 'server.key')
  const flags = ['--tls-cert-path', cert, '--tls-key-path', key]
  const look = async () => (await examine(t, {}, flags)).find('certificate')

  assert.match((await look())?.message ?? '', `${cert} cannot be read`)

  await writeFile(cert, FIRST_CERTIFICATE.cert)
  await writeFile(key, SECOND_CERTIFICATE.key, { mode: 0o600 })
  assert.match((await look())?.message ?? '', 'the key does not match the certificate')

  await writeFile(key, FIRST_CERTIFICATE.key)
  assert.equal(await look(), {
    area: 'serve',
    subject: 'certificate',
    state: 'ok',
    message: `${cert}, valid until 2126-10-31`,
  })

  await promisify(execFile)('chmod', ['0644', key])
  assert.is((await look())?.remedy, `chmod 600 ${key}`)

  await makeCertificate(cert, key, '2020-01-01')
  const expired = await examine(t, {}, flags)
  assert.is(expired.code, 1)
  assert.is(expired.find('certificate')?.message, `${cert} expired on 2020-01-31`)

  await makeCertificate(cert, key, '2100-01-01')
  assert.match((await look())?.message ?? '', `${cert} is valid from 2100-01-01T`)

  await makeCertificate(cert, key, new Date(Date.now() - 86_400_000).toISOString())
  assert.is((await look())?.state, 'warning')
  assert.match((await look())?.message ?? '', `${cert} expires soon, on `)
})

test('a state directory that cannot be written to is a problem', async (t) => {
  const mount = 'mount -t tmpfs -o ro none "$0" && exec "$@"'
  const readOnly = join(t.directory, 'read-only')
  await mkdir(readOnly)

  const { code, find } = await examineBy(['unshare', '--mount', 'sh', '-c', mount, readOnly], {
    flags: ['--port', '0', '--state-dir', join(readOnly, 'state')],
  })

  assert.is(code, 1)
  assert.match(find('state')?.message ?? '', 'EROFS')
  assert.match(find('state')?.remedy ?? '', '--state-dir')
})

test('a temporary directory that is nearly full is a problem', async (t) => {
  const mount = 'mount -t tmpfs -o size=8m none "$0" && export TMPDIR=$0 && exec "$@"'

  const { code, find } = await examineBy(['unshare', '--mount', 'sh', '-c', mount, t.directory], t)

  assert.is(code, 1)
  assert.is(find('disk')?.message, `8 MiB free in ${t.directory}`)
  assert.is(find('disk')?.state, 'problem')
})

test('a clock that shows the past is a problem', async (t) => {
  const { code, find } = await examineBy(['faketime', '2020-01-01 00:00:00'], t)

  assert.is(code, 1)
  assert.match(find('clock')?.message ?? '', 'it shows 2020-01-01T')
})

test('settings that cannot be used are a problem; a secret is only missed', async (t) => {
  const wrong = await examine(t, {}, ['--kept-logs', 'many'])
  const stray = await examine(t, { environment: { SEMAPHORE_AGENT_PROT: '1' } })
  const without = await examine(t, { environment: { SEMAPHORE_AGENT_AUTH_TOKEN_SECRET: '' } })

  assert.is(wrong.code, 1)
  assert.match(wrong.find('settings')?.message ?? '', '--kept-logs: expected a whole number')
  assert.is(stray.find('settings')?.state, 'warning')
  assert.match(stray.find('settings')?.message ?? '', 'unknown setting SEMAPHORE_AGENT_PROT')
  assert.is(without.code, 0)
  assert.is(without.find('secret')?.state, 'warning')
})

test('hooks and files that every job is given have to be there', async (t) => {
  const nowhere = join(t.directory, 'nowhere')
  const look = async (...flags: string[]) => (await examine(t, {}, flags)).find('files')

  const hook = await look('--pre-job-hook-path', 'nowhere')
  const file = await look('--files', `${nowhere}:/etc/given`)
  const needed = await look('--files', `${nowhere}:/etc/given`, '--fail-on-missing-files')
  const there = await look('--post-job-hook-path', BINARY, '--files', `${BINARY}:/given`)

  assert.is(hook?.state, 'problem')
  assert.match(hook?.message ?? '', `a hook for every job cannot be read: ENOENT`)
  assert.match(hook?.message ?? '', nowhere)
  assert.is(file?.state, 'warning')
  assert.match(file?.message ?? '', `container jobs will run without a file: ENOENT`)
  assert.is(needed?.state, 'problem')
  assert.is(there?.state, 'ok')
})

interface Report {
  readonly code: number
  find(subject: string): Finding | undefined
}

async function examine(
  t: Pick<Context, 'directory' | 'flags'>,
  options: RunOptions = {},
  flags: readonly string[] = [],
): Promise<Report> {
  const args = ['doctor', '--format', 'json', ...t.flags, ...flags]
  return toReport(
    await runAgent(args, {
      ...given(t),
      ...options,
      environment: { ...given(t).environment, ...options.environment },
    }),
  )
}

/** The agent is started by another program, which makes its surroundings worse. */
async function examineBy(
  [program = '', ...args]: readonly string[],
  { flags }: Pick<Context, 'flags'>,
): Promise<Report> {
  const words = [...args, BINARY, 'doctor', '--format', 'json', ...flags]
  const { promise, resolve: done } = Promise.withResolvers<Exit>()
  execFile(program, words, { cwd: '/', timeout: LIMIT_MS }, (error, stdout, stderr) =>
    done({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
  )
  return toReport(await promise)
}

function given({ directory }: Pick<Context, 'directory'>): RunOptions {
  return { cwd: directory, environment: { SEMAPHORE_AGENT_AUTH_TOKEN_SECRET: 'a secret' } }
}

function toReport({ code, stdout, stderr }: Exit): Report {
  assert.is(stderr, '')
  const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] }
  return { code, find: (subject) => findings.find((finding) => finding.subject === subject) }
}

/** Node removes the file of a socket it closes, but not where it was moved to. */
async function leaveDeadSocket(path: string): Promise<void> {
  const server = createServer()
  server.listen(`${path}.first`)
  await once(server, 'listening')
  await rename(`${path}.first`, path)
  server.close()
  await once(server, 'close')
}

function portOf(server: Server): string {
  const address = server.address()
  return typeof address === 'object' ? String(address?.port) : ''
}

/** Valid for 30 days from a day on. */
async function makeCertificate(cert: string, key: string, from: string): Promise<void> {
  const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=agent']
  const files = ['-days', '30', '-out', cert, '-keyout', key]
  await promisify(execFile)('faketime', [from, 'openssl', ...words, ...files])
}

test.run()
