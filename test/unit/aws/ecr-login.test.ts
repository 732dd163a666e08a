import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type EcrAccess, getEcrLogin } from '../../../lib/aws/ecr-login.ts'
import { AwsError } from '../../../lib/errors.ts'
import { startControlPlane } from '../../helpers/control-plane.ts'
import { rejection } from '../docker/fake-daemon.ts'

interface Context {
  proxy: Server
  /** Hosts a tunnel was asked for; none is made. */
  asked: string[]
  before: string | undefined
}

const test = suite<Context>('aws: ECR login')

test.before.each(async (t) => {
  t.asked = []
  t.proxy = createServer()
  t.proxy.on('connect', ({ url = '' }, socket) => {
    t.asked.push(url)
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  })
  await new Promise<void>((resolve) => t.proxy.listen(0, '127.0.0.1', resolve))
  t.before = process.env['HTTPS_PROXY']
  process.env['HTTPS_PROXY'] = `http://127.0.0.1:${(t.proxy.address() as AddressInfo).port}`
})

test.after.each(async ({ proxy, before }) => {
  if (before === undefined) delete process.env['HTTPS_PROXY']
  else process.env['HTTPS_PROXY'] = before
  proxy.closeAllConnections()
  await new Promise((resolve) => proxy.close(resolve))
})

function loginWith(access: Partial<EcrAccess>) {
  const { signal } = new AbortController()
  const keys = { accessKeyId: 'AKIA', secretAccessKey: 's3cret' }
  return getEcrLogin({ ...keys, region: 'eu-central-1', endpoints: {}, signal, ...access })
}

test('the addresses of AWS are those of the region, and the proxy is the way to them', async ({
  asked,
}) => {
  const accountId = '123456789012'
  const error = await rejection(loginWith({}))
  await rejection(loginWith({ region: 'us-east-1', accountId }))
  await rejection(loginWith({ region: 'cn-north-1', accountId }))

  assert.equal(asked, [
    'sts.eu-central-1.amazonaws.com:443',
    'api.ecr.us-east-1.amazonaws.com:443',
    'api.ecr.cn-north-1.amazonaws.com.cn:443',
  ])
  assert.instance(error, AwsError)
  assert.is((error as AwsError).transient, true)
  assert.match(error.message, 'AWS cannot be reached at sts.eu-central-1.amazonaws.com')
  assert.not.match(error.message, 's3cret')
})

test('an account that is no number is refused before anything is sent', async ({ asked }) => {
  const error = await rejection(loginWith({ accountId: 'my-account' }))

  assert.match(error.message, 'AWS_ACCOUNT_ID of an image pull credential is not an account number')
  assert.equal(asked, [])
})

test('an answer that is no login is told as such', async () => {
  const plane = await startControlPlane((response) => void response.end('<html>a portal</html>'))
  try {
    const access = { accountId: '123456789012', endpoints: { ecr: plane.url } }
    const error = await rejection(loginWith(access))

    assert.match(error.message, 'its response is not as expected')
  } finally {
    await plane.close()
  }
})

test.run()
