import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import {
  chown,
  link,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LogFile } from '../../lib/log-file.ts'

const test = suite<{ directory: string; path: string }>('log file')

const OTHER = 65_534

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'agent-test-'))
  t.path = join(t.directory, 'log')
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

async function contentOf(file: LogFile): Promise<string | undefined> {
  const chunks = file.read()
  if (chunks === undefined) return undefined
  let text = ''
  for await (const chunk of chunks) text += Buffer.from(chunk).toString()
  return text
}

for (const [name, prepare, reason] of [
  [
    'another user’s file',
    async (path: string) => {
      await writeFile(path, '')
      await chown(path, OTHER, OTHER)
    },
    /belongs to another user/,
  ],
  [
    'another user’s FIFO',
    async (path: string) => {
      execFileSync('mkfifo', [path])
      await chown(path, OTHER, OTHER)
    },
    /ENXIO|belongs to another user/,
  ],
  ['a FIFO nobody reads', async (path: string) => void execFileSync('mkfifo', [path]), /ENXIO/],
  [
    'a file that has another name',
    async (path: string) => {
      await writeFile(`${path}-victim`, '')
      await link(`${path}-victim`, path)
    },
    /other hard links/,
  ],
  [
    'another user’s link',
    async (path: string) => {
      await symlink(`${path}-victim`, path)
      execFileSync('chown', ['-h', String(OTHER), path])
    },
    /ELOOP/,
  ],
] as const) {
  test(`${name} in its place is refused at once`, async ({ path }) => {
    await prepare(path)

    assert.throws(() => new LogFile(path, 1_000), reason)

    const victim = await stat(`${path}-victim`).catch(() => undefined)
    assert.is(victim?.size ?? 0, 0)
  })
}

test('what comes to stand under its name is neither read nor written', async ({ path }) => {
  const file = new LogFile(path, 1_000)
  file.write('own\n')
  await rename(path, `${path}-away`)
  await writeFile(`${path}-secret`, 'secret\n')
  await symlink(`${path}-secret`, path)
  file.write('more\n')

  assert.is(await contentOf(file), 'own\nmore\n')
  assert.is(await readFile(`${path}-secret`, 'utf8'), 'secret\n')
  file.close()
})

test('a file is rotated, also while somebody reads it; one moved away is begun anew', async ({
  path,
}) => {
  const file = new LogFile(path, 10)
  file.write('123456\n')
  const chunks = file.read()
  const first = await chunks?.next()
  file.write('89012\n')
  file.write('new\n')

  assert.is(Buffer.from(first?.value ?? '').toString(), '123456\n')
  assert.ok((await chunks?.next())?.done)
  assert.is(await readFile(`${path}.1`, 'utf8'), '123456\n89012\n')
  await rename(path, `${path}-away`)
  await writeFile(path, '')
  file.write('for what is away\n')
  file.write('new\n')

  assert.match(await readFile(path, 'utf8'), 'new\n')
  assert.match(await readFile(`${path}-away`, 'utf8'), 'for what is away\n')
  file.close()
})

test('where it cannot be moved away it is begun anew in its place', async ({ path }) => {
  await mkdir(join(`${path}.1`, 'full'), { recursive: true })
  const file = new LogFile(path, 10)
  file.write('the first is long enough\n')

  file.write('next\n')

  assert.is(await readFile(path, 'utf8'), 'next\n')
  assert.is(await contentOf(file), 'next\n')
  file.close()
})

test('a device is written to and never moved away', async ({ directory }) => {
  const device = join(directory, 'null')
  execFileSync('mknod', [device, 'c', '1', '3'])
  const file = new LogFile(device, 10)
  for (let i = 0; i < 5; i++) file.write('more than ten bytes\n')

  assert.ok(statSync(device).isCharacterDevice())
  assert.not.ok(existsSync(`${device}.1`))
  assert.is(await contentOf(file), undefined)
  file.close()
})

test('a link of root’s or one’s own is followed, and stays', async ({ path }) => {
  await writeFile(`${path}-real`, '')
  await symlink(`${path}-real`, path)
  const file = new LogFile(path, 10)
  file.write('more than ten bytes\n')
  file.write('more\n')

  assert.is(await readFile(`${path}-real`, 'utf8'), 'more than ten bytes\nmore\n')
  file.close()
})

test.run()
