import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LogToken } from '../../../lib/log-push/log-token.ts'
import { waitFor } from '../../helpers/host.ts'

const test = suite('log token')
const { signal } = new AbortController()
const never = (): never => {
  throw new Error('nobody should ask')
}

/** @param exp unix seconds */
function jwt(exp: number, name = ''): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'HS256' })}.${part({ exp, name })}.signature`
}

const now = () => Date.now() / 1_000

test('a token is used until shortly before it expires', async () => {
  const [first, second] = [jwt(now() + 0.5, 'first'), jwt(now() + 3_600, 'second')]
  let refreshes = 0
  const refresh = async () => {
    refreshes++
    return second
  }
  const token = new LogToken(first, refresh, never)

  await waitFor(async () => (await token.get(signal)) === second, 'the other one is used')

  assert.is(await token.get(signal), second)
  assert.is(refreshes, 1)
})

test('one that is about to expire stays in use when there is no other, and that is told', async () => {
  const first = jwt(now() + 0.3)
  const told: unknown[] = []
  const problem = new Error('the control plane answers 500')
  const token = new LogToken(
    first,
    () => Promise.reject(problem),
    (error) => told.push(error),
  )

  await waitFor(async () => (await token.get(signal)) === first && told.length > 0, 'it is told')

  assert.equal(told, [problem])
})

test('one that looks expired, by a clock that differs, is for the server to judge', async () => {
  const token = new LogToken(jwt(now() - 3_600), never, never)

  assert.is(await token.get(signal), await token.get(signal))
})

test('a refused one is replaced before the next use, and what is no JWT is good until then', async () => {
  const token = new LogToken('first', async () => 'second', never)

  assert.is(await token.get(signal), 'first')
  token.refuse()
  assert.is(await token.get(signal), 'second')
})

test('where there is none yet, one is requested before the first use', async () => {
  const token = new LogToken('', async () => 'first', never)

  assert.is(await token.get(signal), 'first')
})

test('a refused one without a successor is an error', async () => {
  const token = new LogToken('first', () => Promise.reject(new Error('no')), never)
  token.refuse()

  await token.get(signal).then(never, (error: Error) => assert.is(error.message, 'no'))
})

test.run()
