import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createCallbackSender } from '../../../lib/job/callbacks.ts'
import { createLogger } from '../../../lib/log.ts'
import { VERSION } from '../../../lib/version.ts'
import { type Answer, type ControlPlane, startControlPlane } from '../../helpers/control-plane.ts'

interface Context {
  planes: ControlPlane[]
  logged: string
}

const test = suite<Context>('callbacks')

test.before.each((t) => {
  t.planes = []
  t.logged = ''
})

test.after.each(async ({ planes }) => {
  await Promise.all(planes.map((plane) => plane.close()))
})

async function start(t: Context, ...answers: Answer[]): Promise<ControlPlane> {
  const plane = await startControlPlane(...answers)
  t.planes.push(plane)
  return plane
}

/** Quick and told by the test how patient; what it logs is kept. */
function senderFor(
  t: Context,
  url: string | undefined,
  options: { attempts?: number; timeoutMs?: number; token?: string; signal?: AbortSignal } = {},
) {
  const { attempts = 3, timeoutMs = 5_000, token, signal } = options
  const log = createLogger({
    write: (text) => {
      t.logged += text
    },
  })
  return createCallbackSender(
    { finished: url, teardownFinished: url, token },
    { attempts, log, signal, timeoutMs, delayMs: 1 },
  )
}

test('finished posts the result as JSON, with the token and the name of the agent', async (t) => {
  const plane = await start(t, 200)

  await senderFor(t, `${plane.url}/finished?x=1`, { token: 's3cret' }).finished('passed')

  const [call] = plane.calls
  assert.is(plane.calls.length, 1)
  assert.is(`${call?.method} ${call?.path}`, 'POST /finished?x=1')
  assert.is(call?.body, '{"result":"passed"}')
  assert.is(call?.headers['content-type'], 'application/json')
  assert.is(call?.headers['authorization'], 'Bearer s3cret')
  assert.is(call?.headers['user-agent'], `SemaphoreAgent/${VERSION}`)
  assert.is(t.logged, '')
})

test('teardown finished posts an empty object; without a token there is no authorization', async (t) => {
  const plane = await start(t, 204)

  await senderFor(t, plane.url).teardownFinished()

  assert.is(plane.calls[0]?.body, '{}')
  assert.is(plane.calls[0]?.headers['authorization'], undefined)
})

test('without a URL there is no callback', async (t) => {
  await senderFor(t, undefined).finished('failed')
  await senderFor(t, undefined).teardownFinished()

  assert.is(t.logged, '')
})

test('what is not 2xx is tried again, until it is', async (t) => {
  const plane = await start(t, 500, 404, 201)

  await senderFor(t, plane.url, { attempts: 10 }).finished('failed')

  assert.is(plane.calls.length, 3)
  assert.match(
    t.logged,
    /^agent: warn: The finished callback to .* failed in attempt 1 of 10: it answered 500\n$/,
  )
})

test('a redirect is no success, and is not followed', async (t) => {
  const elsewhere = await start(t, 200)
  const plane = await start(t, (response) => {
    response.writeHead(307, { location: elsewhere.url }).end()
  })

  await senderFor(t, plane.url, { attempts: 2, token: 's3cret' }).finished('passed')

  assert.is(plane.calls.length, 2)
  assert.is(elsewhere.calls.length, 0)
  assert.match(t.logged, 'failed 2 times; giving up: it answered 307\n')
})

test('a server that hangs up, stays silent or is not there is tried again', async (t) => {
  const hangingUp = await start(t, (response) => void response.destroy(), 200)
  await senderFor(t, hangingUp.url).finished('passed')
  assert.is(hangingUp.calls.length, 2)

  const silent = await start(t, () => undefined, 200)
  await senderFor(t, silent.url, { timeoutMs: 200 }).finished('passed')
  assert.ok(silent.calls.length >= 2)

  const gone = await start(t)
  await gone.close()
  t.planes.pop()
  await senderFor(t, gone.url, { attempts: 2 }).finished('passed')
  assert.match(t.logged, 'ECONNREFUSED')
})

test('a good status is a success, whatever becomes of the body', async (t) => {
  const plane = await start(t, (response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('only this')
    setImmediate(() => response.destroy())
  })

  await senderFor(t, plane.url).finished('passed')

  assert.is(plane.calls.length, 1)
  assert.is(t.logged, '')
})

test('a callback that never succeeds is told loudly, without its secrets, and rejects nothing', async (t) => {
  const plane = await start(t, 503)
  const url = plane.url.replace('//', '//user:s3cret@')

  await senderFor(t, `${url}/finished?key=s3cret`, { token: 's3cret' }).finished('passed')

  assert.is(plane.calls.length, 3)
  assert.ok(
    t.logged.endsWith(
      `agent: error: The finished callback to ${plane.url}/finished failed 3 times; giving up: it answered 503\n`,
    ),
    t.logged,
  )
  assert.not.match(t.logged, 's3cret')
})

test('nobody waits for a callback after an abort', async (t) => {
  const forceStop = new AbortController()
  const plane = await start(t, () => forceStop.abort())

  await senderFor(t, plane.url, { attempts: 1_000, signal: forceStop.signal }).finished('passed')

  assert.is(plane.calls.length, 1)
  assert.match(t.logged, 'failed until the agent had to stop')
})

test.run()
