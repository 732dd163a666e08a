/** What a known_hosts file says of one server. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { knownKeys } from '../../../lib/cache/sftp/known-hosts.ts'

const keys = async (text: string, host: string, port: number) =>
  (await knownKeys(text, host, port)).map(({ key }) => key)

test('a server is known by host and port, in any spelling', async () => {
  const text = `
# cache.example.com ssh-ed25519 comment
cache.example.com,10.0.0.1 ssh-ed25519 AAA1 somebody
CACHE.example.com ssh-rsa AAA2
[cache.example.com]:2222 ssh-ed25519 AAA3
@revoked cache.example.com ssh-ed25519 AAA4
broken
`
  assert.equal(await knownKeys(text, 'cache.example.com', 22), [
    { type: 'ssh-ed25519', key: 'AAA1' },
    { type: 'ssh-rsa', key: 'AAA2' },
  ])
  assert.equal(await keys(text, '10.0.0.1', 22), ['AAA1'])
  assert.equal(await keys(text, 'cache.example.com', 2222), ['AAA3'])
  assert.equal(await keys(text, 'cacheXexample.com', 22), [])
  assert.equal(await keys('', 'cache.example.com', 22), [])
})

test('names may be patterns, with exceptions', async () => {
  const text = '*.example.com,!bad.example.com,10.0.0.? ssh-ed25519 AAA1'

  assert.equal(await keys(text, 'a.example.com', 22), ['AAA1'])
  assert.equal(await keys(text, 'bad.example.com', 22), [])
  assert.equal(await keys(text, '10.0.0.7', 22), ['AAA1'])
  assert.equal(await keys(text, '10.0.0.77', 22), [])
})

test('hashed names are found', async () => {
  // Made by ssh-keygen -H from a.example.com and [b.example.com]:2222.
  const text = `
|1|L7y6qORxut9dDRu77y59WXZeh8c=|CyLR/h6xEOM46juP9h+1SQKfc5k= ssh-ed25519 AAA1
|1|pP4fUJbtD+hgnlngDQTNTN8PIyk=|BhvQoJDFmtokM3CXx6aFKR05GOA= ssh-ed25519 AAA2
`
  assert.equal(await keys(text, 'a.example.com', 22), ['AAA1'])
  assert.equal(await keys(text, 'b.example.com', 2222), ['AAA2'])
  assert.equal(await keys(text, 'b.example.com', 22), [])
})

test('a pattern with many stars takes no longer than others', async () => {
  const text = `${'*a'.repeat(10_000)}* ssh-ed25519 AAA1\n*${'a*'.repeat(20)} ssh-ed25519 AAA2`

  assert.equal(await keys(text, 'a'.repeat(253), 22), ['AAA2'])
  assert.equal(await keys('a*b?c* ssh-ed25519 AAA3', 'axxbbxc.', 22), ['AAA3'])
  assert.equal(await keys('a*b?c ssh-ed25519 AAA3,* x y', 'axxbbxc.', 22), [])
})

test.run()
