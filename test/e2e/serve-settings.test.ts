/** How an agent is told what to be: flags, variables, a file; its certificate; its own log. */

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runAgent, startAgent } from '../helpers/agent.ts'
import { freePort } from '../helpers/free-port.ts'
import { waitFor } from '../helpers/host.ts'
import {
  followLog,
  outputIn,
  SECRET,
  serveAgent,
  shellJob,
  whenFree,
  withAgent,
} from '../helpers/served-agent.ts'
import { FIRST_CERTIFICATE, SECOND_CERTIFICATE } from '../unit/http/certificates.ts'

interface Context {
  directory: string
}

const test = suite<Context>('serve: settings')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'settings-'))
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

/** What the agent's certificate is, as a client sees it. */
function peerFingerprint(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '')
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

test('what cannot be used is one clear message and exit code 2', async (t) => {
  const secret = ['--auth-token-secret', 'x', '--state-dir', join(t.directory, 'state')]
  const file = join(t.directory, 'agent.yaml')
  await writeFile(file, 'prot: 8000\n')
  for (const [args, message] of [
    [[], 'needs the secret'],
    [[...secret, '--prot', '1'], 'agent serve: unknown option --prot'],
    [[...secret, '--port', '70000'], '--port: expected a port, got "70000"'],
    [[...secret, '--port', '0', '--tls-cert-path', '/no/such.crt'], '/no/such.crt'],
    [[...secret, '--config-file', file], `prot in ${file}: there is no such setting`],
    [[...secret, '--host', 'nowhere.invalid', '--port', '0'], 'cannot listen on nowhere.invalid:0'],
    [['--auth-token-secret', 'x', '--state-dir', '/dev/null/nope'], '/dev/null/nope'],
    [['--auth-token-secret', 'x', '--state-dir', '/proc/nope/x'], 'ENOENT'],
  ] as const) {
    const { code, stdout, stderr } = await runAgent(['serve', ...args], { cwd: t.directory })

    assert.is(code, 2, stderr)
    assert.is(stdout, '')
    assert.match(stderr, message)
    assert.not.match(stderr, /\n\s+at /)
  }
})

test('a port in use is told, and the agent that has it goes on', async () => {
  await withAgent(async (served) => {
    const args = ['--auth-token-secret', 'x', '--state-dir', join(served.directory, 'other')]
    const port = ['--host', '127.0.0.1', '--port', String(served.port)]
    const { code, stderr } = await runAgent(['serve', ...args, ...port])

    assert.is(code, 2)
    assert.match(stderr, `cannot listen on 127.0.0.1:${served.port}: the port is in use`)
    assert.is((await served.ask('GET', '/is_alive')).text, 'yes')
  })
})

test('flag, variable and file count in this order, and reach the jobs', async (t) => {
  const file = join(t.directory, 'agent.yaml')
  await writeFile(file, 'host: 127.0.0.1\nport: 1\nenv-vars:\n  FROM: "file, with a comma"\n')
  const port = await freePort()
  const agent = await startAgent(
    ['serve', '--port', String(port), '--state-dir', join(t.directory, 'state')],
    {
      environment: {
        SEMAPHORE_AGENT_AUTH_TOKEN_SECRET: SECRET,
        SEMAPHORE_AGENT_CONFIG_FILE: file,
        SEMAPHORE_AGENT_PORT: '2',
        SEMAPHORE_AGENT_LOG_FILE_PATH: join(t.directory, 'log'),
      },
    },
  )
  try {
    await waitFor(() => agent.stderr.includes('listens on'), 'the agent listens')
    assert.match(agent.stderr, `https://127.0.0.1:${port}`)
    const commandLine = await readFile(`/proc/${agent.pid}/cmdline`, 'utf8')
    assert.not.match(commandLine, SECRET)
  } finally {
    agent.signal('SIGTERM')
    await agent.exited
  }
})

test('agent start is agent serve', async (t) => {
  const state = [
    '--state-dir',
    join(t.directory, 'state'),
    '--log-file-path',
    join(t.directory, 'l'),
  ]
  const agent = await startAgent([
    ...['start', '--auth-token-secret', 'x', '--host', '127.0.0.1', '--port', '0', ...state],
    ...['--statsd-host', '192.1.1.9', '--statsd-port', '8192', '--statsd-namespace', 'agent.prod'],
  ])
  await waitFor(() => agent.stderr.includes('listens on'), 'the agent listens')

  agent.signal('SIGTERM')

  assert.is((await agent.exited).code, 0)
})

test('variables and hooks of the host come with every job; its settings do not', async (t) => {
  const hook = join(t.directory, 'pre hook.sh')
  const post = join(t.directory, 'post.sh')
  await writeFile(hook, 'FROM_HOOK="$HOST_VAR!"; cd /tmp\n')
  await writeFile(post, 'echo "after: $FROM_HOOK $SEMAPHORE_JOB_RESULT"\n')
  await withAgent(
    async (served) => {
      await served.ask('POST', '/jobs', {
        body: shellJob('hooked', 'echo "$FROM_HOOK $PWD"; env | grep -c SEMAPHORE_AGENT_; true'),
      })

      const log = await followLog(served, 'hooked')

      assert.match(log, '"directive":"Running the pre-job hook configured in the agent"')
      assert.match(outputIn(log), 'a=b! /tmp\n0\n')
      assert.match(outputIn(log), 'after: a=b! passed\n')
    },
    ...[['--env-vars', 'HOST_VAR=a=b', '--pre-job-hook-path', hook, '--post-job-hook-path', post]],
  )
})

test('the cache of served jobs is in the state directory, unless --cache-dir says otherwise', async (t) => {
  const elsewhere = join(t.directory, 'cache')
  for (const flags of [[], ['--cache-dir', elsewhere]]) {
    await withAgent(async (served) => {
      await served.ask('POST', '/jobs', {
        body: shellJob('stores', 'cd && echo kept > file && cache store key file && rm file'),
      })
      assert.match(outputIn(await followLog(served, 'stores')), 'Upload complete')
      await whenFree(served)
      await served.ask('POST', '/jobs', {
        body: shellJob('restores', 'cd && cache restore key && cat file'),
      })

      assert.match(outputIn(await followLog(served, 'restores')), /HIT: 'key'.*kept\n/s)
      const kept = flags.length === 0 ? join(served.directory, 'state', 'cache') : elsewhere
      assert.is(
        (await readdir(kept, { recursive: true })).some((it) => it.includes('key')),
        true,
      )
    }, flags)
  }
})

test('a pre-job hook that fails fails the job before its commands', async (t) => {
  const hook = join(t.directory, 'hook.sh')
  await writeFile(hook, 'return 3\n')
  await withAgent(
    async (served) => {
      await served.ask('POST', '/jobs', { body: shellJob('unhooked', 'echo never') })

      const log = await followLog(served, 'unhooked')

      assert.match(log, '"exit_code":3')
      assert.match(log, '"result":"failed"')
      assert.not.match(outputIn(log), 'never')
    },
    ['--pre-job-hook-path', hook],
  )
})

test('the first start makes a certificate, logs its fingerprint, and later ones keep it', async () => {
  let served = await serveAgent()
  try {
    const fingerprint = await peerFingerprint(served.port)
    assert.match(served.agent.stderr, `SHA-256 ${fingerprint}`)

    served = await served.killAndRestart()

    assert.is(await peerFingerprint(served.port), fingerprint)
  } finally {
    await served.stop()
  }
})

test('server.crt and server.key of the working directory are used; HUP reads them anew', async (t) => {
  const { cert, key } = FIRST_CERTIFICATE
  await writeFile(join(t.directory, 'server.crt'), cert)
  await writeFile(join(t.directory, 'server.key'), key)
  const served = await serveAgent([], { workingDirectory: t.directory })
  try {
    const first = await peerFingerprint(served.port)
    await writeFile(join(t.directory, 'server.crt'), SECOND_CERTIFICATE.cert)
    served.agent.signal('SIGHUP')
    await waitFor(() => served.agent.stderr.includes('stays in use'), 'a half renewed pair is told')
    assert.is(await peerFingerprint(served.port), first)

    await writeFile(join(t.directory, 'server.key'), SECOND_CERTIFICATE.key)
    served.agent.signal('SIGHUP')
    await waitFor(() => served.agent.stderr.includes('was reloaded'), 'the renewal is told')

    assert.is.not(await peerFingerprint(served.port), first)
  } finally {
    await served.stop()
  }
})

test('TLS 1.1 is refused, 1.2 and 1.3 are spoken', async () => {
  await withAgent(async ({ port }) => {
    const handshake = (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
      new Promise<string>((resolve) => {
        const options = { host: '127.0.0.1', port, rejectUnauthorized: false }
        const versions = { minVersion: version, maxVersion: version }
        const ciphers = 'DEFAULT:@SECLEVEL=0' // else the client itself refuses the old one
        const socket = connect({ ...options, ...versions, ciphers }, () => {
          resolve(socket.getProtocol() ?? '')
          socket.destroy()
        })
        socket.once('error', (error) => resolve(`refused: ${error.message}`))
      })

    assert.is(await handshake('TLSv1.2'), 'TLSv1.2')
    assert.is(await handshake('TLSv1.3'), 'TLSv1.3')
    assert.match(await handshake('TLSv1.1'), /^refused: .*alert/)
  })
})

test("the agent's own log is JSON lines with times and job ids, kept in a file, rotated", async () => {
  await withAgent(
    async (served) => {
      for (const id of ['one', 'two', 'three', 'four']) {
        await served.ask('POST', '/jobs', { body: shellJob(id, 'true') })
        await followLog(served, id)
        await waitFor(
          async () => (await served.ask('GET', '/status')).text.includes('waiting'),
          'it is free',
        )
      }
      const current = (await served.ask('GET', '/agent_logs')).text
      const older = await readFile(join(served.directory, 'agent_log.1'), 'utf8')
      const entries = `${older}${current}`
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, string>)

      for (const { time, level } of entries) {
        assert.match(time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
        assert.match(level ?? '', /^(debug|info|warn|error)$/)
      }
      assert.ok(entries.some(({ job, message }) => job === 'four' && message?.includes('is over')))
      assert.not.match(served.agent.stderr, SECRET)
    },
    ['--log-format', 'json', '--log-level', 'debug', '--log-file-size', '1k'],
  )
})

test('a log file that cannot be written is a warning, and /agent_logs is 404', async (t) => {
  await mkdir(join(t.directory, 'log'))
  await withAgent(
    async (served) => {
      assert.match(served.agent.stderr, /warn .*The log cannot be written to/)
      assert.is((await served.ask('GET', '/agent_logs')).status, 404)
    },
    ['--log-file-path', join(t.directory, 'log')],
  )
})

test.run()
