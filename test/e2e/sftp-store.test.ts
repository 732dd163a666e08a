/** The store over SFTP against OpenSSH: what is kept, what gives way, and bad networks. */

import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { SftpSettings } from '../../lib/cache/sftp/settings.ts'
import { SftpStore } from '../../lib/cache/sftp/store.ts'
import { CacheError } from '../../lib/errors.ts'
import { type Archive, createArchive, sha256Of } from '../helpers/archives.ts'
import { type CuttingProxy, startCuttingProxy } from '../helpers/cutting-proxy.ts'
import { freePort } from '../helpers/free-port.ts'
import { waitFor } from '../helpers/host.ts'
import { rejection } from '../helpers/rejection.ts'
import { type SftpServer, startSftpServer } from '../helpers/sftp-server.ts'
import { run } from '../setup/run.ts'

interface Context {
  server: SftpServer
  proxy: CuttingProxy
  /** Over the proxy. */
  store: SftpStore
  open(settings?: Partial<SftpSettings>): SftpStore
}

const test = suite<Context>('SFTP store')

const MIB = 1_048_576
const never = new AbortController().signal
const opened: SftpStore[] = []

test.before(async (t) => {
  t.server = await startSftpServer()
  t.proxy = await startCuttingProxy(t.server.port)
  t.open = (settings = {}) => {
    const { username, privateKey, privateKeyPath } = t.server
    const { port } = t.proxy
    const address = { host: '127.0.0.1', port, username, privateKey, privateKeyPath }
    const defaults = { ...address, knownHosts: '', limitBytes: 9 * 1024 * MIB }
    const store = new SftpStore({ ...defaults, ...settings })
    opened.push(store)
    return store
  }
})

test.before.each(async (t) => {
  t.store = t.open()
  await t.store.clear(never)
})

test.after.each(async () => {
  for (const store of opened.splice(0)) await store.close()
})

test.after(async (t) => {
  await t.proxy.close()
  await t.server.close()
})

const read = async (store: SftpStore, key: string) =>
  await sha256Of((await store.open(key, never))?.archive)

const keysOf = async (store: SftpStore) => (await store.list(never)).map(({ key }) => key)

const put = (store: SftpStore, key: string, archive: Archive | number) =>
  store.store(key, (typeof archive === 'number' ? createArchive(archive) : archive).read(), never)

/** Minutes ago. */
async function setTimes(t: Context, name: string, used: number, stored: number): Promise<void> {
  const now = Date.now() / 1_000
  await utimes(join(t.server.directory, name), now - used * 60, now - stored * 60)
}

test('an archive comes back as it was stored', async (t) => {
  for (const bytes of [0, 1, 131_072, 131_073, 8 * MIB]) {
    const archive = createArchive(bytes)

    assert.is(await put(t.store, `key-${bytes}`, archive), bytes)
    assert.is((await t.store.open(`key-${bytes}`, never))?.bytes, bytes)
    assert.is(await read(t.store, `key-${bytes}`), archive.sha256)
  }
})

test('a key is a file of the same name, which older tools read and write', async (t) => {
  await put(t.store, 'gems-main-1f', 10)
  await writeFile(join(t.server.directory, 'of-an-older-tool'), 'x'.repeat(20))

  assert.is((await stat(join(t.server.directory, 'gems-main-1f'))).size, 10)
  assert.is((await t.store.open('of-an-older-tool', never))?.bytes, 20)
  assert.is((await t.store.usage(never)).usedBytes, 30)
})

test('keys keep their characters', async (t) => {
  const keys = ['a b+c', '100%', '%2E', 'ünï-€', "it's <x>", '.hidden', '..', 'k', 'k-2', 'n\nl']
  for (const key of keys) await put(t.store, key, 10)

  assert.equal((await keysOf(t.store)).sort(), [...keys].sort())
  for (const key of keys) assert.ok(await t.store.has(key, never), key)
  assert.not(await t.store.has('k-', never))
  assert.is(await t.store.open('k-', never), undefined)

  await t.store.delete('k', never)
  await t.store.delete('k', never)
  assert.not(await t.store.has('k', never))
  assert.match((await rejection(put(t.store, 'k'.repeat(256), 1))).message, /longer than the name/)
})

test('what else is in a home directory is no key, and survives clear', async (t) => {
  await writeFile(join(t.server.directory, '.profile'), 'x')
  await mkdir(join(t.server.directory, 'projects'), { recursive: true })
  await put(t.store, 'key', 10)

  assert.equal(await keysOf(t.store), ['key'])
  assert.not(await t.store.has('projects', never))
  await t.store.clear(never)
  assert.equal((await readdir(t.server.directory)).sort(), ['.profile', 'projects'])
})

test('the newest comes first', async (t) => {
  for (const key of ['b', 'a', 'c']) await put(t.store, key, 1)
  await setTimes(t, 'a', 0, 1)
  await setTimes(t, 'b', 0, 3)
  await setTimes(t, 'c', 9, 2)

  assert.equal(await keysOf(t.store), ['a', 'c', 'b'])
})

test('a key that is there already is not replaced, whenever it appeared', async (t) => {
  const archive = (async function* () {
    yield* createArchive(MIB).read()
    await writeFile(join(t.server.directory, 'key'), 'another agent was faster')
  })()

  assert.is(await t.store.store('key', archive, never), undefined)
  assert.is(await readFile(join(t.server.directory, 'key'), 'utf8'), 'another agent was faster')
})

test('of many stores of one key at once exactly one wins', async (t) => {
  const sizes = Array.from({ length: 8 }, (_, index) => index + 1)
  const results = await Promise.all(sizes.map((bytes) => put(t.store, 'key', bytes)))

  const winners = results.filter((bytes) => bytes !== undefined)
  assert.is(winners.length, 1)
  assert.is((await t.store.open('key', never))?.bytes, winners[0])
})

test('connections cut while uploading are made again, and nothing is missing', async (t) => {
  const archive = createArchive(16 * MIB)
  await t.store.close()
  // The first end before anything is asked; who begins anew each time never gets beyond 5 MiB.
  t.proxy.cutNext(10, 1_000, ...new Array(30).fill(5 * MIB))

  const store = t.open()
  assert.is(await put(store, 'key', archive), archive.bytes)
  assert.is(await read(t.open(), 'key'), archive.sha256)
  t.proxy.forgetCuts()
})

test('connections cut while downloading go on where they were', async (t) => {
  const archive = createArchive(16 * MIB)
  await put(t.store, 'key', archive)
  t.proxy.cutNext(...new Array(30).fill(5 * MIB))

  assert.is(await read(t.open(), 'key'), archive.sha256)
  t.proxy.forgetCuts()
})

test('a store is done once, wherever in its last messages the connection is cut', async (t) => {
  const before = t.proxy.bytes
  const measured = t.open()
  await put(measured, 'measured', 1_000)
  const whole = t.proxy.bytes - before
  await measured.close()

  for (let missing = 0; missing < 1_500; missing += 250) {
    const archive = createArchive(1_000)
    const key = `cut-${missing}`
    t.proxy.cutNext(whole - missing)
    const store = t.open()
    assert.is(await put(store, key, archive), 1_000, key)
    await store.close()
    t.proxy.forgetCuts()
    assert.is(await read(t.store, key), archive.sha256, key)
  }
  assert.equal(await temporaryFiles(t), [])
})

test('a network that stays away ends the store and the restore with an error', async (t) => {
  await put(t.store, 'key', 20 * MIB)
  const { archive } = (await t.store.open('key', never)) ?? {}
  const reading = rejection(
    (async () => {
      for await (const chunk of archive ?? []) if (chunk.length > 0) t.proxy.down(true)
    })(),
  )
  const storing = rejection(put(t.open(), 'other', 1))

  for (const error of [await reading, await storing]) {
    assert.instance(error, CacheError)
    assert.match(error.message, /^The SFTP server 127\.0\.0\.1:\d+ cannot be reached: /)
  }
  t.proxy.down(false)
})

test('a store that is stopped or whose archive fails leaves nothing behind', async (t) => {
  const stop = new AbortController()
  const endless = (async function* () {
    for (let count = 0; ; count++) {
      if (count === 50) stop.abort(new Error('stopped'))
      yield Buffer.alloc(MIB / 4)
    }
  })()
  const failing = (async function* () {
    yield* createArchive(4 * MIB).read()
    throw new Error('the tree changed')
  })()

  assert.is((await rejection(t.store.store('a', endless, stop.signal))).message, 'stopped')
  assert.is((await rejection(t.store.store('b', failing, never))).message, 'the tree changed')
  assert.equal(await keysOf(t.store), [])
  assert.equal(await temporaryFiles(t), [])
})

test('what a killed store left behind is removed an hour later, and not before', async (t) => {
  const [old, young] = [`.${'a'.repeat(24)}.part`, `.${'b'.repeat(24)}.part`]
  for (const name of [old, young]) await writeFile(join(t.server.directory, name), 'x')
  await setTimes(t, old, 61, 61)
  await setTimes(t, young, 59, 59)

  assert.equal(await keysOf(t.store), [])
  await put(t.store, 'key', 1)

  assert.equal(await temporaryFiles(t), [young])
  await setTimes(t, young, 61, 61)
  await put(t.store, 'key-2', 1)
  assert.equal(await temporaryFiles(t), [])
})

test('the least recently used keys give way when there are more than the limit', async (t) => {
  const store = t.open({ limitBytes: 1_000 })
  for (const key of ['a', 'b', 'c']) await put(store, key, 300)
  await setTimes(t, 'a', 30, 30)
  await setTimes(t, 'b', 20, 40)
  await setTimes(t, 'c', 10, 50)
  await read(store, 'a') // now the most recently used one
  assert.equal(await store.usage(never), { usedBytes: 900, freeBytes: 100 })

  assert.is(await put(store, 'd', 500), 500)
  assert.equal((await keysOf(store)).sort(), ['a', 'd'])
  assert.equal(await keysOf(store), ['d', 'a'], 'a restore does not make a key newer')

  const error = await rejection(put(store, 'e', 1_001))
  assert.match(error.message, /^'e' is larger than the limit of the whole cache \(1000 bytes\)$/)
  assert.match((error as CacheError).hint, /--cache-limit/)
  assert.equal(await keysOf(store), ['d', 'a'])
  assert.equal(await temporaryFiles(t), [])
})

test('keys give way on a full disk, and what is larger than the disk is refused', async (t) => {
  const server = await startSftpServer({ diskBytes: 24 * MIB })
  const { port, privateKey } = server
  const store = t.open({ port, privateKey })
  for (const key of ['a', 'b', 'c']) await put(store, key, 7 * MIB)
  const stored = Math.floor(Date.now() / 1_000)
  await waitFor(() => Date.now() / 1_000 >= stored + 1, 'a second, which times of SFTP count')
  await store.open('a', never)

  const archive = createArchive(8 * MIB)
  assert.is(await put(store, 'd', archive), archive.bytes)
  assert.is(await read(store, 'd'), archive.sha256)
  assert.equal((await keysOf(store)).sort(), ['a', 'd'])

  const error = await rejection(put(store, 'e', 25 * MIB))
  assert.instance(error, CacheError)
  assert.match(error.message, /^The SFTP server 127\.0\.0\.1:\d+ has no room left$/)
  assert.not(await store.has('e', never))
  assert.is(await put(store, 'f', 16 * MIB), 16 * MIB, 'its part is gone from the disk')
  await server.close()
})

test('what is wrong with key, user, server and directory is said, and what to do', async (t) => {
  const { privateKeyPath } = t.server
  const other = `${privateKeyPath}-other`
  const locked = `${privateKeyPath}-locked`
  const limit = { limitMs: 10_000 }
  await run('ssh-keygen', ['-q', '-t', 'rsa', '-N', '', '-f', other], limit)
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'hunter2', '-f', locked], limit)
  const silent = await freePort()
  const cases: Array<[Partial<SftpSettings>, RegExp, RegExp]> = [
    [{ privateKey: await readFile(other) }, /rejects user '.+' with this key/, /authorized_keys/],
    [{ username: 'nobody-here' }, /rejects user 'nobody-here'/, /SEMAPHORE_CACHE_USERNAME/],
    [{ privateKey: await readFile(locked) }, /protected with a passphrase/, /without passphrase/],
    [{ privateKey: Buffer.from('no key') }, /is not a private key/, /ssh-keygen/],
    [{ port: silent }, /cannot be reached: .*ECONNREFUSED/, /SEMAPHORE_CACHE_URL/],
  ]
  for (const [settings, message, hint] of cases) {
    const error = await rejection(t.open(settings).has('key', never))
    assert.instance(error, CacheError)
    assert.match(error.message, message)
    assert.match((error as CacheError).hint, hint)
    assert.not.match(error.message, /PRIVATE KEY|no key/)
  }
})

test('a server that known_hosts knows by another key is not trusted', async (t) => {
  const place = `[127.0.0.1]:${t.proxy.port}`
  const right = `${place} ${t.server.hostKey}`
  const foreign = `${place} ${await readFile(`${t.server.privateKeyPath}.pub`, 'utf8')}`
  const has = (knownHosts: string) => t.open({ knownHosts }).has('key', never)

  assert.is(await has(right), false)
  assert.is(await has(`${foreign}${right}`), false)
  assert.is(await has(foreign.replace(place, '127.0.0.1')), false, 'another port')
  const error = await rejection(has(foreign))
  assert.instance(error, CacheError)
  assert.match(error.message, /presents another host key than the one in known_hosts$/)
})

test('a directory that cannot be written to is said to be one', async (t) => {
  const { port, privateKey, close } = await startSftpServer({ isReadOnly: true })
  const error = await rejection(put(t.open({ port, privateKey }), 'key', 1))
  await close()

  assert.instance(error, CacheError)
  assert.match(error.message, /refuses to store 'key': Permission denied$/)
  assert.match((error as CacheError).hint, /must exist, be writable/)
})

async function temporaryFiles(t: Context): Promise<string[]> {
  return (await readdir(t.server.directory)).filter((name) => name.endsWith('.part'))
}

test.run()
