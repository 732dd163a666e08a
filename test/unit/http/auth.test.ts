import { generateKeyPairSync } from 'node:crypto'
import { base64url, SignJWT } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError } from '../../../lib/errors.ts'
import { requireToken } from '../../../lib/http/auth.ts'
import { SECRET, type ServerLab, serverLab, signedToken } from './server-lab.ts'

interface Context {
  server: ServerLab
}

const test = suite<Context>('http: auth')

test.before.each(async (t) => {
  t.server = await serverLab()
})

test.after.each(async (t) => {
  await t.server.lab.remove()
})

const INVALID = '"Invalid authorization token"\n'
const NOW = Math.floor(Date.now() / 1_000)

function unsigned(header: object, claims: object = {}): string {
  return `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(claims))}.`
}

async function claiming(claims: Record<string, unknown>): Promise<string> {
  return await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(SECRET))
}

async function status(server: ServerLab, authorization: string): Promise<[number, string]> {
  const answer = await server.app.request('/status', { headers: { authorization } })
  return [answer.status, await answer.text()]
}

test('no header, or an empty one, is told that a header is required', async ({ server }) => {
  const bare = await server.app.request('/status')

  assert.is(bare.status, 401)
  assert.is(await bare.text(), '"An authorization header is required"\n')
  assert.equal(await status(server, ''), [401, '"An authorization header is required"\n'])
})

test('HS256, HS384 and HS512 are taken, with a secret of any length', async ({ server }) => {
  for (const algorithm of ['HS256', 'HS384', 'HS512']) {
    const [code] = await status(server, `Bearer ${await signedToken(SECRET, algorithm)}`)
    assert.is(code, 200, algorithm)
  }
})

test('exp and nbf count when they are there', async ({ server }) => {
  const cases: [Record<string, unknown>, number][] = [
    [{ exp: NOW + 60 }, 200],
    [{ exp: NOW - 1 }, 401],
    [{ nbf: NOW - 60 }, 200],
    [{ nbf: NOW + 60 }, 401],
    [{ exp: 'tomorrow' }, 401],
    [{ iat: NOW + 60, aud: 'x', sub: 'y' }, 200],
  ]
  for (const [claims, expected] of cases) {
    const [code] = await status(server, `Bearer ${await claiming(claims)}`)
    assert.is(code, expected, JSON.stringify(claims))
  }
})

test('what is no valid token is refused with the same words', async ({ server }) => {
  const good = await signedToken()
  const [header, payload, signature = ''] = good.split('.')
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rs256 = await new SignJWT({}).setProtectedHeader({ alg: 'RS256' }).sign(privateKey)
  const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
  const bad: Record<string, string> = {
    'another scheme': `Basic ${Buffer.from('user:pass').toString('base64')}`,
    'no scheme': good,
    'no token': 'Bearer ',
    'two tokens': `Bearer ${good} ${good}`,
    'alg none': `Bearer ${unsigned({ alg: 'none' })}`,
    'alg None': `Bearer ${unsigned({ alg: 'None' })}`,
    'alg none, signed': `Bearer ${unsigned({ alg: 'none' })}${signature}`,
    'no alg': `Bearer ${unsigned({})}${signature}`,
    RS256: `Bearer ${rs256}`,
    truncated: `Bearer ${good.slice(0, -1)}`,
    'no signature': `Bearer ${header}.${payload}.`,
    'two parts': `Bearer ${header}.${payload}`,
    'another signature': `Bearer ${header}.${payload}.${flipped}`,
    'other claims': `Bearer ${header}.${base64url.encode('{"a":1}')}.${signature}`,
    'another secret': `Bearer ${await signedToken('keep it!')}`,
    garbage: 'Bearer ...',
    'an unknown critical header': `Bearer ${await new SignJWT({})
      .setProtectedHeader({ alg: 'HS256', crit: ['b64'], b64: true, x: 1 })
      .sign(Buffer.from(SECRET))
      .then((token) => `${unsigned({ alg: 'HS256', crit: ['x'], x: 1 })}${token.split('.')[2]}`)}`,
  }
  for (const [name, authorization] of Object.entries(bad)) {
    assert.equal(await status(server, authorization), [401, INVALID], name)
  }
})

test('a token signed with the empty secret is refused', async ({ server }) => {
  const { createHmac } = await import('node:crypto')
  const text = unsigned({ alg: 'HS256' }).slice(0, -1)
  const signature = createHmac('sha256', '').update(text).digest('base64url')

  assert.equal(await status(server, `Bearer ${text}.${signature}`), [401, INVALID])
})

test('an agent without a secret does not come to be', () => {
  assert.throws(
    () => requireToken(''),
    (error: unknown) => error instanceof ConfigError && /is empty/.test(error.message),
  )
})

test('only /is_alive is open; an unknown path tells nothing to strangers', async ({ server }) => {
  const alive = await server.app.request('/is_alive')
  assert.is(alive.status, 200)
  assert.is(await alive.text(), 'yes')

  const closed = [
    ...['GET /status', 'GET /metrics', 'POST /jobs', 'POST /stop', 'POST /jobs/terminate'],
    ...['GET /jobs/a/log', 'GET /job_logs', 'GET /agent_logs', 'GET /', 'GET /nope', 'PUT /jobs'],
  ]
  for (const route of closed) {
    const [method = '', path = ''] = route.split(' ')
    assert.is((await server.app.request(path, { method })).status, 401, route)
  }
})

test('the body of a refused request is not read, and nothing of a token is logged', async ({
  server,
}) => {
  let isRead = false
  const body = new ReadableStream(
    {
      pull(controller) {
        isRead = true
        controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  const init = { method: 'POST', body, duplex: 'half', headers: { authorization: 'Bearer S3CRET' } }

  const answer = await server.app.request('/jobs', init as RequestInit)

  assert.is(answer.status, 401)
  assert.is(isRead, false)
  assert.not.match(server.entries.join('\n'), 'S3CRET')
})

test.run()
