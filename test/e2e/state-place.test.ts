/** Where the state directory is decides who can put something else in its place. */

import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runAgent } from '../helpers/agent.ts'
import { onEveryHost } from '../helpers/protections.ts'
import { serveAgent } from '../helpers/served-agent.ts'

interface Context {
  directory: string
}

const test = suite<Context>('state directory: place')
const both = onEveryHost(test)

const OTHER = 65_534

test.before.each(async (t) => {
  t.directory = await mkdtemp('/tmp/place-') // not in the runner's, which is closed to others
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

async function refusalOf(state: string): Promise<string> {
  const words = ['--port', '0', '--auth-token-secret', 'x', '--state-dir', state]
  const { code, stderr } = await runAgent(['serve', ...words])
  assert.is(code, 2, stderr)
  return stderr
}

both('one in a directory of another user, or open to all, is refused, and not made', async (t) => {
  const [foreign, open] = [join(t.directory, 'foreign'), join(t.directory, 'open')]
  await mkdir(foreign)
  await chown(foreign, OTHER, OTHER)
  await mkdir(open)
  await chmod(open, 0o777)

  assert.match(await refusalOf(join(foreign, 'a', 'b')), `${foreign} belongs to another user`)
  assert.match(await refusalOf(join(open, 'a', 'b')), `other users can write to ${open}`)
  assert.equal(await readdir(foreign), [])
  assert.equal(await readdir(open), [])
})

both('another user’s link leads it nowhere', async (t) => {
  await chmod(t.directory, 0o1777)
  const [link, target] = [join(t.directory, 'link'), join(t.directory, 'target')]
  await mkdir(target)
  await symlink(target, link)
  execFileSync('chown', ['-h', String(OTHER), link])

  assert.match(await refusalOf(link), `${link} belongs to another user`)
  assert.match(await refusalOf(join(link, 'state')), `${link} belongs to another user`)
  assert.equal(await readdir(target), [])
})

both('own links, sticky directories and those of a group are ways to it', async (t) => {
  const group = join(t.directory, 'group')
  await mkdir(group)
  await chown(group, 0, 50)
  await chmod(group, 0o2775)
  await symlink(group, join(t.directory, 'link'))
  await chmod(t.directory, 0o1777)

  const served = await serveAgent([], { stateDirectory: join(t.directory, 'link', 'state') })
  await served.stop()

  assert.ok((await readdir(join(group, 'state'))).includes('instance'))
})

test.run()
