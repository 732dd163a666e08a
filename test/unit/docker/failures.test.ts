import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { refusal, unreachable } from '../../../lib/docker/failures.ts'

const test = suite('docker: failures')

const failed = (code: string, method = 'POST') =>
  unreachable('/s', Object.assign(new Error(`connect ${code} /s`), { code }), {
    method,
    timeoutMs: 30_000,
  })

test('a socket that this user may not use is told with what to do about it', () => {
  const { message, hint } = failed('EACCES')

  assert.is(message, 'Docker does not answer on /s: connect EACCES /s')
  assert.match(hint, 'add it to the socket’s group')
})

test('silence is told with its length', () => {
  assert.match(failed('UND_ERR_HEADERS_TIMEOUT').message, 'no answer within 30 s')
})

test('only a call that reached the engine and changes something may have acted', () => {
  assert.is(failed('UND_ERR_SOCKET').mayHaveActed, true)
  assert.is(failed('UND_ERR_SOCKET', 'GET').mayHaveActed, false)
  assert.is(failed('ENOENT').mayHaveActed, false)
  assert.is(failed('ECONNREFUSED').mayHaveActed, false)
})

test('some reasons say more than their status: a full disk, a registry without trust or login', () => {
  const call = { action: 'create', hints: { 500: 'Try again.' } }
  const hintFor = (message: string) => refusal(call, 500, JSON.stringify({ message })).hint

  assert.is(hintFor('no luck'), 'Try again.')
  assert.match(hintFor('x: no space left on device'), 'free space')
  const pools = 'could not find an available, non-overlapping IPv4 address pool among the defaults'
  assert.match(hintFor(pools), 'default-address-pools')
  assert.match(hintFor('all predefined address pools have been fully subnetted'), 'fewer jobs')
  assert.match(hintFor('x509: certificate signed by unknown authority'), 'certs.d')
  assert.match(hintFor('http: server gave HTTP response to HTTPS client'), 'insecure-registries')
  assert.match(hintFor('Head "x": no basic auth credentials'), 'image_pull_credentials')
  assert.is(refusal(call, 502, '').reason, 'no reason given')
})

test.run()
