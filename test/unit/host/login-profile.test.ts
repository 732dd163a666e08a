import { execFileSync } from 'node:child_process'
import {
  appendFile,
  chown,
  mkdir,
  mkdtemp,
  readdir,
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
import {
  addToLoginProfile,
  removeDeadProfileLines,
  removeFromLoginProfile,
} from '../../../lib/host/login-profile.ts'
import { rejection } from '../../helpers/rejection.ts'

const test = suite<{ home: string }>('host: login profile')

test.before.each(async (t) => {
  t.home = await mkdtemp(join(tmpdir(), 'agent-test-'))
})

test.after.each(async (t) => {
  await rm(t.home, { recursive: true, force: true })
})

test('a profile that was there comes back byte for byte', async ({ home }) => {
  const profile = join(home, '.bash_profile')
  const before = Buffer.from([0x61, 0xff, 0x0a, 0x62]) // no UTF-8, no newline at its end
  await writeFile(profile, before, { mode: 0o640 })

  await addToLoginProfile(home, '/x/env')
  assert.match((await readFile(profile)).toString('latin1'), "[ ! -O '/x/env' ] || . '/x/env'")
  await removeFromLoginProfile(home, '/x/env')

  assert.equal(await readFile(profile), before)
  assert.is((await stat(profile)).mode & 0o777, 0o640)
})

for (const [title, change] of [
  [
    'the file is another user’s',
    async (directory: string) => await chown(join(directory, 'env'), 65_534, 65_534),
  ],
  ['its directory is', async (directory: string) => await chown(directory, 65_534, 65_534)],
  [
    'a link leads there',
    async (directory: string) => {
      await rename(directory, `${directory}-real`)
      await symlink(`${directory}-real`, directory)
    },
  ],
] as const) {
  test(`a login shell runs nothing where ${title}`, async ({ home }) => {
    const directory = join(home, 'job')
    await mkdir(directory)
    await writeFile(join(directory, 'env'), 'echo ran\n')
    await addToLoginProfile(home, join(directory, 'env'))
    const login = () =>
      execFileSync('bash', ['--login', '-c', 'echo in'], { env: { HOME: home } }).toString()

    assert.match(login(), 'ran\nin\n')
    await change(directory)
    assert.not.match(login(), 'ran')
  })
}

test('a line for a file with any name is taken out again', async ({ home }) => {
  const profile = join(home, '.bash_profile')

  await addToLoginProfile(home, '/tmp/Größe 世界/env')
  assert.match(await readFile(profile, 'utf8'), ". '/tmp/Größe 世界/env'")
  await removeFromLoginProfile(home, '/tmp/Größe 世界/env')

  assert.is(await readFile(profile).catch((error) => error.code), 'ENOENT')
})

test('a profile made here still leads to ~/.profile, and is gone after the last job', async ({
  home,
}) => {
  const profile = join(home, '.bash_profile')

  await addToLoginProfile(home, '/x/one')
  await addToLoginProfile(home, '/x/two')
  assert.match(await readFile(profile, 'utf8'), '. ~/.profile')
  await removeFromLoginProfile(home, '/x/one')
  assert.not.match(await readFile(profile, 'utf8'), '/x/one')
  await removeFromLoginProfile(home, '/x/two')
  await removeFromLoginProfile(home, '/x/two')

  assert.is(await readFile(profile).catch((error) => error.code), 'ENOENT')
})

test('a profile that is a link stays one', async ({ home }) => {
  await writeFile(join(home, 'dotfile'), 'echo\n')
  await symlink('dotfile', join(home, '.bash_profile'))

  await addToLoginProfile(home, '/x/env')
  await removeFromLoginProfile(home, '/x/env')

  assert.is(await readFile(join(home, 'dotfile'), 'utf8'), 'echo\n')
  assert.is(await readFile(join(home, '.bash_profile'), 'utf8'), 'echo\n')
})

test('what a person has added behind a line stays a line of its own', async ({ home }) => {
  const profile = join(home, '.bash_profile')
  await writeFile(profile, 'echo one')

  await addToLoginProfile(home, '/x/env')
  await appendFile(profile, 'echo two\n')
  await removeFromLoginProfile(home, '/x/env')

  assert.is(await readFile(profile, 'utf8'), 'echo one\necho two\n')
})

test('the lines of agents that have ended go, those of others stay', async ({ home }) => {
  const profile = join(home, '.bash_profile')
  await addToLoginProfile(home, '/x/mine')
  const before = await readFile(profile, 'utf8')
  const [, own = ''] = /: (\S+)\n/.exec(before) ?? []
  const [machine = '', boot, namespace, pid] = own.split('.')
  const line = (identity: string) =>
    before.slice(before.indexOf('\n[')).replace('/x/mine', '/x/other').replace(own, identity)
  const elsewhere = line(`0123456789ab.${boot}.${namespace}.${pid}.1`)
  const inContainer = line(`${machine}.${boot}.1.${pid}.1`)
  await appendFile(profile, line(`${machine}.before.${namespace}.${pid}.1`)) // the power was cut
  await appendFile(profile, elsewhere)
  await appendFile(profile, line(`${machine}.${boot}.${namespace}.${pid}.1`)) // another had that pid
  await appendFile(profile, inContainer)

  await removeDeadProfileLines(home)

  assert.is(await readFile(profile, 'utf8'), before + elsewhere + inContainer)
})

for (const [name, prepare] of [
  ['of another user', async (path: string) => await chown(path, 65_534, 65_534)],
  [
    'below a link that leads there',
    async (path: string) => {
      await rename(path, `${path}-real`)
      await symlink(`${path}-real`, path)
      await chown(path, 65_534, 65_534)
    },
  ],
] as const) {
  test(`a home ${name} is left alone`, async ({ home }) => {
    await prepare(home)

    const { message } = await rejection(addToLoginProfile(home, '/x/env'))

    assert.match(message, `HOME=${home}`)
    assert.equal(await readdir(home), [])
    await rm(`${home}-real`, { recursive: true, force: true })
  })
}

test.run()
