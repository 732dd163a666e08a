import { existsSync, statSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { makeDirectory, makeDirectorySync } from '../../../lib/files/make-directory.ts'
import { rejection } from '../../helpers/rejection.ts'

interface Context {
  root: string
}

const test = suite<Context>('make directory')

test.before.each(async (t) => {
  t.root = await mkdtemp(join(tmpdir(), 'make-'))
  await writeFile(join(t.root, 'file'), '')
  await symlink(join(t.root, 'nowhere'), join(t.root, 'link'))
  await symlink(t.root, join(t.root, 'round'))
})

test.after.each(async ({ root }) => {
  await rm(root, { recursive: true })
})

test('makes what is missing, and tells the outermost of it', async ({ root }) => {
  assert.is(await makeDirectory(join(root, 'a', 'b', 'c')), join(root, 'a'))
  assert.is(await makeDirectory(join(root, 'round', 'a', 'b', 'c', 'd')), `${root}/round/a/b/c/d`)
  assert.is(await makeDirectory(join(root, 'a', 'b', 'c')), undefined)
  assert.is(await makeDirectory(join(root, 'round')), undefined)
  assert.ok(existsSync(join(root, 'a', 'b', 'c', 'd')))
})

test('at once: makes what is missing, whatever the bytes of its name', ({ root }) => {
  const path = Buffer.from(`${root}/a/\xff/c`, 'latin1')

  assert.is(makeDirectorySync(path), true)
  assert.is(makeDirectorySync(path), false)
  assert.ok(existsSync(path))
})

const BOTH = [
  ['at once', async (path: string) => makeDirectorySync(Buffer.from(path))],
  ['waiting', (path: string) => makeDirectory(path)],
] as const

for (const [how, make] of BOTH) {
  test(`${how}: fails below a file, a link to nowhere, and in /proc`, async ({ root }) => {
    const codeOf = async (path: string) =>
      ((await rejection(make(path))) as NodeJS.ErrnoException).code

    assert.is(await codeOf(join(root, 'file')), 'EEXIST')
    assert.is(await codeOf(join(root, 'file', 'a')), 'ENOTDIR')
    assert.is(await codeOf(join(root, 'link', 'a')), 'EEXIST')
    assert.is(await codeOf('/proc/no-such-process/a'), 'ENOENT')
  })
}

test('the mode is that of every directory made', async ({ root }) => {
  await makeDirectory(join(root, 'a', 'b'), 0o700)

  assert.is(statSync(join(root, 'a')).mode & 0o777, 0o700)
  assert.is(statSync(join(root, 'a', 'b')).mode & 0o777, 0o700)
})

test.run()
