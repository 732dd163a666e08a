/** What stands where the agent expects a file may be a FIFO nobody writes to, or a device without an end. */

import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encode, runAgent } from '../helpers/agent.ts'
import { waitFor } from '../helpers/host.ts'
import {
  followLog,
  outputIn,
  serveAgent,
  shellJob,
  whenFree,
  withAgent,
} from '../helpers/served-agent.ts'
import { FIRST_CERTIFICATE } from '../unit/http/certificates.ts'

interface Context {
  directory: string
}

const test = suite<Context>('serve: odd files')

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me'

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'odd-files-'))
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

function putFifo(path: string): void {
  execFileSync('sh', ['-c', 'rm -f "$1" && mkfifo -m 600 "$1"', 'sh', path])
}

test('a device without an end is told in place of settings, secret and certificate', async (t) => {
  const state = ['--state-dir', join(t.directory, 'state'), '--port', '0']
  const secret = ['--auth-token-secret', 'x']
  for (const args of [
    [...secret, '--config-file', '/dev/zero'],
    ['--auth-token-secret-file', '/dev/zero'],
    [...secret, '--tls-cert-path', '/dev/zero', '--tls-key-path', '/dev/zero'],
    [...secret, '--env-vars-file', '/dev/zero'],
  ]) {
    const { code, stderr } = await runAgent(['serve', ...args, ...state], { cwd: t.directory })

    assert.is(code, 2, stderr)
    assert.match(stderr, /cannot be read: it is larger than|others may read or change/)
  }
})

test('a FIFO in place of a renewed certificate leaves the agent answering', async (t) => {
  const [cert, key] = [join(t.directory, 'server.crt'), join(t.directory, 'server.key')]
  await writeFile(cert, FIRST_CERTIFICATE.cert)
  await writeFile(key, FIRST_CERTIFICATE.key)
  const served = await serveAgent([], { workingDirectory: t.directory })
  try {
    putFifo(cert)
    served.agent.signal('SIGHUP')

    await waitFor(() => served.agent.stderr.includes('it is a pipe'), 'the renewal is refused')
    assert.is((await served.ask('GET', '/is_alive')).text, 'yes')
  } finally {
    await served.stop()
  }
})

test('a FIFO in place of a hook fails the job', async (t) => {
  const hook = join(t.directory, 'hook.sh')
  putFifo(hook)
  await withAgent(
    async (served) => {
      await served.ask('POST', '/jobs', { body: shellJob('piped', 'echo never') })
      const log = await followLog(served, 'piped')

      assert.match(outputIn(log), `The hook ${hook} cannot be read: it is a pipe`)
      assert.match(log, '"result":"failed"')
    },
    ['--pre-job-hook-path', hook],
  )
})

test('a FIFO that a job leaves in place of its keys keeps no later job from its end', async (t) => {
  const home = join(t.directory, 'home')
  await mkdir(join(home, '.ssh'), { recursive: true })
  const served = await serveAgent([], { environment: { HOME: home } })
  const file = '~/.ssh/authorized_keys'
  const job = (id: string, directive: string) =>
    JSON.stringify({
      ...{ job_id: id, executor: 'shell', commands: [{ directive }] },
      ssh_public_keys: [encode(KEY)],
    })
  try {
    for (const id of ['one', 'two', 'three']) {
      const sent = job(id, `rm -f ${file}; mkfifo ${file}; echo done`)
      await served.ask('POST', '/jobs', { body: sent })
      assert.match(await followLog(served, id), '"result":"passed"')
      await whenFree(served)
    }
  } finally {
    await served.stop()
  }
})

test.run()
