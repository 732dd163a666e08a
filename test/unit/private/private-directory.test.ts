import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findForeignEntry, isInSafePlace } from '../../../lib/private/ownership.ts'
import {
  existingDirectories,
  openPrivateDirectory,
} from '../../../lib/private/private-directory.ts'

const test = suite<{ directory: string }>('private: place')

const OTHER = 65_534

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'agent-test-'))
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

test('the first place in which nobody else can write is taken, and nothing is left in it', async ({
  directory,
}) => {
  const place = (name: string) => join(directory, name)
  await writeFile(place('file'), '')
  await mkdir(place('foreign'))
  await chown(place('foreign'), OTHER, OTHER)
  await mkdir(place('open'))
  await chmod(place('open'), 0o777)
  await mkdir(place('shared'))
  await chown(place('shared'), 0, OTHER)
  await chmod(place('shared'), 0o770)
  await symlink(directory, place('link'))
  const names = ['file', 'foreign', 'open', 'shared', 'link', 'file/below', 'open/below']

  const found = openPrivateDirectory([...names, 'a/b', 'never'].map(place))

  assert.is(found, place('a/b'))
  assert.equal(await readdir(found), [])
  assert.equal(existingDirectories([...names, 'a/b'].map(place)).slice(0, 1), [found])
  assert.not.ok((await readdir(directory)).includes('never'))
})

test('what is in a directory of another user is in no safe place', async ({ directory }) => {
  const inner = join(directory, 'foreign', 'inner')
  await mkdir(inner, { recursive: true })
  assert.ok(isInSafePlace(inner))
  await chown(join(directory, 'foreign'), OTHER, OTHER)

  assert.not.ok(isInSafePlace(inner))
})

test('in a sticky directory what another user has put there is found, and only that', async ({
  directory,
}) => {
  await chmod(directory, 0o1777)
  const foreign = join(directory, 'foreign')
  await symlink(tmpdir(), foreign)
  await execFileSync('chown', ['-h', `${OTHER}`, foreign])
  await mkdir(join(directory, 'own'))

  assert.is(findForeignEntry(foreign), foreign)
  assert.is(findForeignEntry(join(foreign, 'below')), foreign)
  assert.is(findForeignEntry(join(directory, 'own', 'file')), undefined)
  assert.is(findForeignEntry(join(directory, 'absent')), undefined)
  await chmod(directory, 0o755)
  assert.is(findForeignEntry(foreign), undefined)
})

test('without any place there is one in the directory for temporary files, the same each time', async () => {
  const program = `
    const { openPrivateDirectory } = await import(${JSON.stringify(resolve('lib/private/private-directory.ts'))})
    process.setegid(${OTHER}); process.seteuid(${OTHER})
    console.log(openPrivateDirectory(['/proc/no']), openPrivateDirectory([]))`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program])
  const [first = '', second] = output.toString().trim().split(' ')
  await rm(first, { recursive: true })

  assert.match(first, `/agent-jobs-${OTHER}-`)
  assert.is(second, first)
})

test.run()
