import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  addKeys,
  decodeKeys,
  formatKeys,
  removeDeadKeys,
  removeKeys,
} from '../../../lib/host/authorized-keys.ts'

const test = suite<{ home: string; file: string }>('host: authorized keys')

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOne someone@somewhere'
const mode = async (path: string) => (await stat(path)).mode & 0o777

test.before.each(async (t) => {
  t.home = await mkdtemp(join(tmpdir(), 'agent-test-'))
  t.file = join(t.home, '.ssh', 'authorized_keys')
})

test.after.each(async (t) => {
  await rm(t.home, { recursive: true, force: true })
})

test('a user without keys gets a directory and a file that sshd accepts', async (t) => {
  await addKeys(t.home, formatKeys('one', [KEY]))

  assert.is(await mode(join(t.home, '.ssh')), 0o700)
  assert.is(await mode(t.file), 0o600)
  assert.ok((await readFile(t.file, 'utf8')).split('\n').includes(KEY))
})

test('file and directory are gone again when nobody else has written there', async (t) => {
  await addKeys(t.home, formatKeys('one', [KEY]))
  await addKeys(t.home, formatKeys('two', [KEY]))
  await removeKeys(t.home, formatKeys('one', [KEY]))
  await removeKeys(t.home, formatKeys('two', [KEY]))
  await removeKeys(t.home, formatKeys('two', [KEY]))

  assert.equal(await readdir(t.home), [])
})

test('a directory that was there stays, and so does one that somebody uses meanwhile', async (t) => {
  await mkdir(join(t.home, '.ssh'))
  await addKeys(t.home, formatKeys('one', [KEY]))
  await removeKeys(t.home, formatKeys('one', [KEY]))
  assert.equal(await readdir(t.home, { recursive: true }), ['.ssh'])

  await rm(join(t.home, '.ssh'), { recursive: true })
  await addKeys(t.home, formatKeys('one', [KEY]))
  await writeFile(join(t.home, '.ssh', 'known_hosts'), '')
  await removeKeys(t.home, formatKeys('one', [KEY]))
  assert.equal((await readdir(t.home, { recursive: true })).sort(), ['.ssh', '.ssh/known_hosts'])
})

for (const [name, content] of [
  ['without a newline at its end', Buffer.from('ssh-rsa AAAA me')],
  ['with Windows line ends', Buffer.from('ssh-rsa AAAA me\r\n')],
  ['that is no UTF-8', Buffer.from([0x23, 0xff, 0x00, 0x0a, 0x0a])],
  ['that has the same key already', Buffer.from(`${KEY}\n`)],
  ['that is empty', Buffer.alloc(0)],
] as const) {
  test(`a file ${name} comes back byte for byte`, async (t) => {
    await mkdir(join(t.home, '.ssh'))
    await writeFile(t.file, content)
    await chmod(t.file, 0o644)

    await addKeys(t.home, formatKeys('one', [KEY]))
    assert.ok((await readFile(t.file, 'latin1')).split('\n').includes(KEY))
    assert.is(await mode(t.file), 0o600)
    await removeKeys(t.home, formatKeys('one', [KEY]))

    assert.equal(await readFile(t.file), content)
  })
}

test('keys with names in any alphabet, or in none, are gone again', async (t) => {
  const names = ['José@laptop', '世界', Buffer.from([0x4a, 0xff, 0xfe])]
  const encoded = names.map((name) =>
    Buffer.concat([Buffer.from(KEY), Buffer.from(name)]).toString('base64'),
  )
  const { lines, problems } = decodeKeys(encoded)

  await addKeys(t.home, formatKeys('one', lines))
  const during = await readFile(t.file, 'utf8')
  await removeKeys(t.home, formatKeys('one', lines))

  assert.equal(problems, [])
  assert.match(during, `${KEY}José@laptop\n${KEY}世界\n${KEY}J`)
  assert.is(await stat(t.file).catch((error) => error.code), 'ENOENT')
})

test('what the user adds meanwhile stays', async (t) => {
  await addKeys(t.home, formatKeys('one', [KEY]))
  await appendFile(t.file, 'ssh-rsa BBBB you\n')
  await removeKeys(t.home, formatKeys('one', [KEY]))

  assert.match(await readFile(t.file, 'utf8'), /\nssh-rsa BBBB you\n$/)
  assert.not.match(await readFile(t.file, 'utf8'), KEY)
})

test('the blocks of agents that have ended go, and nothing else', async (t) => {
  await mkdir(join(t.home, '.ssh'))
  const alive = formatKeys('alive', [KEY])
  const [, own = ''] = /of agent (\S+)/.exec(alive) ?? []
  const [machine, , ...rest] = own.split('.')
  const dead = alive.replaceAll(own, [machine, 'before', ...rest].join('.'))
  const torn = `\n# job torn of agent ${[machine, 'before', ...rest].join('.')}\n${KEY}\n`
  await writeFile(t.file, `mine${dead.replaceAll('alive', 'one')}yours\n${alive}${torn}`)

  await removeDeadKeys(t.home)

  assert.is(await readFile(t.file, 'utf8'), `mine\nyours\n${alive}${torn}`)
})

test('ten jobs at once, of as many agents, take nothing from each other', async (t) => {
  await mkdir(join(t.home, '.ssh'))
  await writeFile(t.file, 'mine\n')
  const texts = Array.from({ length: 10 }, (_, index) => formatKeys(`job-${index}`, [KEY]))

  await Promise.all(texts.map((text) => addKeys(t.home, text)))
  await Promise.all(texts.slice(1).map((text) => removeKeys(t.home, text)))

  assert.is(await readFile(t.file, 'utf8'), `mine\n${texts[0]}`)
})

test('a key that is no base64 is named, and locks nobody else out', () => {
  const good = Buffer.from(`${KEY}\n`).toString('base64')

  const { lines, problems } = decodeKeys(['***', good])

  assert.equal(lines, [KEY])
  assert.is(problems.length, 1)
  assert.match(problems[0] ?? '', 'ssh_public_keys[0]')
})

test.run()
