import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createLogger } from '../../../lib/log.ts'
import { findServiceManager } from '../../../lib/service/notify.ts'
import { waitFor } from '../../helpers/host.ts'

interface Context {
  directory: string
  /** With a systemd-notify that writes down its words. */
  environment: NodeJS.ProcessEnv
  logged: string
}

const test = suite<Context>('service: notify')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'notify-'))
  const program = join(t.directory, 'systemd-notify')
  await writeFile(program, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >>${t.directory}/said\n`)
  await chmod(program, 0o755)
  t.environment = { PATH: `${t.directory}:/usr/bin:/bin`, NOTIFY_SOCKET: '/run/notify' }
  t.logged = ''
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

const logOf = (t: Context) =>
  createLogger({
    write: (text) => {
      t.logged += text
    },
  })

const saidIn = (t: Context) => readFile(join(t.directory, 'said'), 'utf8').catch(() => '')

test('ready and stopping are said once each', async (t) => {
  const manager = findServiceManager(t.environment, logOf(t))

  await manager.ready()
  await manager.stopping(90_000)

  assert.is(
    await saidIn(t),
    '/run/notify --ready\n/run/notify STOPPING=1 EXTEND_TIMEOUT_USEC=90000000\n',
  )
})

test('signs of life are given to a manager that waits for them from this process', async (t) => {
  const watched = { ...t.environment, WATCHDOG_USEC: '600000', WATCHDOG_PID: String(process.pid) }

  await findServiceManager(watched, logOf(t)).ready()

  await waitFor(
    async () => (await saidIn(t)).includes('WATCHDOG=1\n/run/notify WATCHDOG=1\n'),
    'two',
  )
})

test('without a manager nothing is said', async (t) => {
  const manager = findServiceManager({ PATH: t.environment['PATH'] }, logOf(t))

  await manager.ready()
  await manager.stopping(1)

  assert.is(await saidIn(t), '')
})

test('a manager that cannot be told is a warning, not a failure', async (t) => {
  const manager = findServiceManager({ ...t.environment, PATH: '/nowhere' }, logOf(t))

  await manager.ready()

  assert.match(t.logged, /warn: systemd cannot be notified of --ready/)
})

test.run()
