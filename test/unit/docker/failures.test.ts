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

test('a full disk is more than the advice for its status', () => {
  const call = { action: 'create', hints: { 500: 'Try again.' } }

  assert.is(refusal(call, 500, '{"message":"no luck"}').hint, 'Try again.')
  assert.match(refusal(call, 500, '{"message":"x: no space left on device"}').hint, 'free space')
  assert.is(refusal(call, 502, '').reason, 'no reason given')
})

test.run()
