import { execFile } from 'node:child_process'
import { chown, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { shellJumpPoint, writeJumpPoint } from '../../../lib/host/jump-point.ts'

const test = suite<{ directory: string; path: string; script: string }>('host: jump point')

const run = promisify(execFile)

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'agent-test-'))
  t.path = join(t.directory, 'ssh_jump_point')
  t.script = shellJumpPoint({
    directory: t.directory,
    sessionPrefix: join(t.directory, 'session-'),
  })
  await writeFile(join(t.directory, '.bash_profile'), 'export FROM_PROFILE=yes\n')
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

test('a command keeps its words, its status, and has the login shell’s variables', async (t) => {
  await writeJumpPoint(t.script, t.path)
  const env = { HOME: t.directory, PATH: process.env['PATH'] ?? '' }

  const { stdout } = await run('bash', [t.path, 'printf', '<%s>', 'a b', '', '*'], { env })
  const variable = await run('bash', [t.path, 'printenv', 'FROM_PROFILE'], { env })
  const status = await run('bash', [t.path, 'bash', '-c', 'exit 7'], { env }).catch(
    ({ code }) => code,
  )

  assert.is(stdout, '<a b><><*>')
  assert.is(variable.stdout, 'yes\n')
  assert.is(status, 7)
})

test('it enters no directory of another user, nor one that a link leads to', async (t) => {
  const refused = async (directory: string) => {
    const script = shellJumpPoint({ directory, sessionPrefix: join(directory, 'session-') })
    await writeJumpPoint(script, t.path)
    const { code, stderr } = await run('bash', [t.path, 'true']).catch((error) => error)
    assert.is(code, 1)
    assert.match(stderr, 'The job is over')
  }
  const link = join(t.directory, 'link')
  await mkdir(join(t.directory, 'job'))
  await symlink('job', link)

  await refused(link)
  await refused('/proc/1/no')
  await chown(join(t.directory, 'job'), 65_534, 65_534)
  await refused(join(t.directory, 'job'))
})

test('a link in the place of a session’s file is not written through', async (t) => {
  const victim = join(t.directory, 'victim')
  await writeFile(victim, 'precious')
  const script = t.script.replaceAll('$$', '7')
  await symlink(victim, join(t.directory, 'session-7'))
  await writeJumpPoint(script, t.path)

  await run('bash', [t.path, 'true'])

  assert.is(await readFile(victim, 'utf8'), 'precious')
})

test('without a command it is a login shell', async (t) => {
  await writeJumpPoint(t.script, t.path)
  const env = { HOME: t.directory, PATH: process.env['PATH'] ?? '' }

  const shell = run('bash', [t.path], { env })
  shell.child.stdin?.end('shopt -q login_shell && echo "login $FROM_PROFILE"\n')

  assert.is((await shell).stdout, 'login yes\n')
})

test('a link that somebody put in its place is replaced, not followed', async (t) => {
  const victim = join(t.directory, 'victim')
  await writeFile(victim, 'precious')
  await symlink(victim, t.path)

  await writeJumpPoint(t.script, t.path)

  assert.is(await readFile(victim, 'utf8'), 'precious')
  assert.is(await readFile(t.path, 'utf8'), t.script)
  assert.equal((await readdir(t.directory)).sort(), ['.bash_profile', 'ssh_jump_point', 'victim'])
})

test.run()
