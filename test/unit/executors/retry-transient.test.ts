import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { AwsError, DockerRefusedError, ImagePullError } from '../../../lib/errors.ts'
import { retryTransient } from '../../../lib/executors/container/retry-transient.ts'
import { rejection } from '../docker/fake-daemon.ts'

const test = suite('executors: retry')

const { signal } = new AbortController()
const refusal = (reason: string, status = 500) =>
  new DockerRefusedError('pull', status, reason, 'h')

/** Fails with each error in turn, and then succeeds. */
function failing(...errors: readonly Error[]) {
  let tries = 0
  return async () => {
    const error = errors[tries++]
    if (error !== undefined) throw error
    return tries
  }
}

async function outputOf(work: () => Promise<unknown>, delaysMs = [1, 2, 3]) {
  let output = ''
  const options = {
    signal,
    onOutput: (line: Uint8Array | string) => {
      output += String(line)
    },
  }
  const result = await retryTransient(work, options, delaysMs).catch((error: unknown) => error)
  return { result, output }
}

test('what passes is tried again, and each time announced with its delay', async () => {
  const { result, output } = await outputOf(
    failing(
      refusal('Get "http://r/v2/": EOF'),
      new AwsError('AWS is busy', { hint: '', transient: true }),
    ),
  )

  assert.is(result, 3)
  assert.is(
    output,
    'Docker refused to pull: Get "http://r/v2/": EOF (HTTP 500); trying again in 0.001 s\nAWS is busy; trying again in 0.002 s\n',
  )
})

test('the words of engines for what passes are known', async () => {
  const transient = [
    refusal('toomanyrequests: You have reached your pull rate limit.'),
    refusal('received unexpected HTTP status: 503 Service Unavailable'),
    refusal('unexpected status from HEAD request to https://r/v2/a/manifests/1: 502 Bad Gateway'),
    refusal('login attempt to http://r/v2/ failed with status: 500 Internal Server Error'),
    refusal('Get "https://r/v2/": dial tcp 1.2.3.4:443: connect: connection refused'),
    refusal('Get "https://r/v2/": net/http: TLS handshake timeout'),
    refusal('read tcp 1.2.3.4:1->5.6.7.8:443: read: connection reset by peer'),
    refusal('dial tcp: lookup r on 1.1.1.1:53: server misbehaving'),
    refusal('slow down', 429),
    new ImagePullError('broke off', { hint: '', transient: true }),
  ]
  for (const error of transient) {
    const { result } = await outputOf(failing(error))
    assert.is(result, 2, error.message)
  }
})

test('what stays fails at once', async () => {
  const staying = [
    refusal('manifest for r/a:1 not found: manifest unknown', 404),
    refusal('pull access denied for a, repository does not exist or may require login: denied'),
    refusal('Head "http://r/v2/a/manifests/1": no basic auth credentials'),
    refusal('unauthorized: authentication required'),
    refusal('login attempt to http://r/v2/ failed with status: 401 Unauthorized'),
    refusal('write /var/lib/docker/tmp/x: no space left on device'),
    refusal('dial tcp: lookup nowhere.example.com: no such host'),
    new ImagePullError('no matching manifest', { hint: '' }),
    new TypeError('a bug'),
  ]
  for (const error of staying) {
    const { result, output } = await outputOf(failing(error))
    assert.is(result, error)
    assert.is(output, '')
  }
})

test('after the last attempt its failure is thrown', async () => {
  const errors = [1, 2, 3, 4, 5].map((n) => refusal(`${n}: EOF`))

  const { result } = await outputOf(failing(...errors))

  assert.is(result, errors[3])
})

test('a stop ends a delay', async () => {
  const stop = new AbortController()
  const waiting = retryTransient(
    failing(refusal('EOF')),
    { signal: stop.signal, onOutput: () => void setImmediate(() => stop.abort()) },
    [3_600_000],
  )

  const error = await rejection(waiting)

  assert.is(error.name, 'AbortError')
})

test.run()
