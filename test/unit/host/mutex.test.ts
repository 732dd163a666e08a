import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

/** Without a home: their lock is where others can write as well, in a directory for temporary files. */
const OWNER = 54_377
const DIRECTORY = new RegExp(`^/tmp/agent-jobs-${OWNER}-[^/]+$`)
const OTHER = 65_534

/** Not by options of `spawn`: another user may not be allowed to read this program's files. */
const BECOME =
  'const become = (id) => { process.setgroups([]); process.setgid(id); process.setuid(id) }'

/** Tells what it has opened for its turn, which is over when its input ends. */
const HOLD = `
  import { readdirSync, readlinkSync } from 'node:fs'
  const { withLock } = await import(${JSON.stringify(resolve('lib/host/mutex.ts'))})
  ${BECOME}
  const isThere = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd) } catch {} }
  const open = () => readdirSync('/proc/self/fd').map(isThere)
  become(${OWNER})
  const before = open()
  await withLock(async () => {
    console.log(JSON.stringify(open().filter((it) => it && !before.includes(it))))
    await new Promise((resolve) => process.stdin.once('end', resolve).resume())
  })`

const TAKE = `
  const { lockFile } = await import(${JSON.stringify(resolve('lib/private/lock.ts'))})
  ${BECOME}
  const [path, id] = process.argv.slice(1)
  become(Number(id))
  const taken = await lockFile(path).catch(({ message }) => message)
  console.log(typeof taken === 'function' ? 'taken' : taken ?? 'held')`

const program = (text: string) => ['--input-type=module', '-e', text]

function take(path: string, id: number): string {
  const words = [...program(TAKE), path, String(id)]
  return execFileSync(process.execPath, words, { encoding: 'utf8' }).trim()
}

test('turns are taken by a file that this user’s processes wait for, and no other user can reach', async () => {
  const holder = spawn(process.execPath, program(HOLD), { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(holder, 'close')
  const [line] = await Promise.race([once(holder.stdout, 'data'), ended])
  const opened: string[] = JSON.parse(String(line))
  const [lock = ''] = opened.filter((path) => path.endsWith('/turn'))
  try {
    assert.not.ok(opened.some((path) => path.startsWith('socket:')))
    assert.match(dirname(lock), DIRECTORY)
    assert.is((await stat(dirname(lock))).mode & 0o777, 0o700)
    assert.is(take(lock, OWNER), 'held')
    assert.is(take(lock, OTHER), 'unable to open database file')

    holder.stdin.end()
    await ended
    assert.is(take(lock, OWNER), 'taken')
  } finally {
    holder.kill('SIGKILL')
    await ended
    if (DIRECTORY.test(dirname(lock))) await rm(dirname(lock), { recursive: true })
  }
})

test.run()
