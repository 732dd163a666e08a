/** Where a job's SFTP cache is and who it is there. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseSftpAddress } from '../../../lib/cache/sftp/settings.ts'
import { CacheError } from '../../../lib/errors.ts'

const NEEDED = {
  HOME: '/home/me',
  SEMAPHORE_CACHE_URL: 'cache.example.com:29920',
  SEMAPHORE_CACHE_USERNAME: 'me',
  SEMAPHORE_CACHE_PRIVATE_KEY_PATH: '/keys/cache',
}

test('a host has a port, or the one of SSH', () => {
  for (const [url, host, port] of [
    ['cache.example.com:29920', 'cache.example.com', 29_920],
    ['10.0.0.1', '10.0.0.1', 22],
    ['[::1]:2222', '::1', 2222],
    ['[fe80::1%eth0]', 'fe80::1%eth0', 22],
  ] as const) {
    const address = parseSftpAddress({ ...NEEDED, SEMAPHORE_CACHE_URL: url })
    assert.equal([address.host, address.port], [host, port])
  }
})

test("a key below ~ is in the job's home", () => {
  const parse = (path: string) =>
    parseSftpAddress({ ...NEEDED, SEMAPHORE_CACHE_PRIVATE_KEY_PATH: path }).privateKeyPath

  assert.is(parse('~/.ssh/cache'), '/home/me/.ssh/cache')
  assert.is(parse('/a/~/b'), '/a/~/b')
})

test('what is missing is named', () => {
  for (const name of Object.keys(NEEDED).filter((it) => it !== 'HOME')) {
    assert.throws(
      () => parseSftpAddress({ ...NEEDED, [name]: '' }),
      (error: unknown) =>
        error instanceof CacheError && error.message.includes(`${name} is not set`),
      name,
    )
  }
})

test('an address that is none is refused without being shown', () => {
  for (const url of [
    '',
    ' ',
    'a b',
    'host:0',
    'host:70000',
    'host:ssh',
    'sftp://hunter2',
    'me:hunter2@x',
    '::1',
  ]) {
    assert.throws(
      () => parseSftpAddress({ ...NEEDED, SEMAPHORE_CACHE_URL: url }),
      (error: unknown) => error instanceof CacheError && !error.message.includes('hunter2'),
      url,
    )
  }
})

test.run()
