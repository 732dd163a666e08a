import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { postJson } from '../../../lib/outbound.ts'
import { type ControlPlane, startControlPlane } from '../../helpers/control-plane.ts'

interface Context {
  plane: ControlPlane
  proxy: Server
  /** Hosts the proxy was asked for. */
  asked: string[]
}

const test = suite<Context>('outbound: proxy')
const VARIABLES = ['HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy']
const before = VARIABLES.map((name) => [name, process.env[name]] as const)

test.before.each(async (t) => {
  t.plane = await startControlPlane(200)
  t.asked = []
  t.proxy = createServer((request, response) => {
    t.asked.push(new URL(request.url ?? '').host)
    response.writeHead(204).end()
  })
  t.proxy.on('connect', ({ url = '' }, socket) => {
    t.asked.push(url)
    const { hostname, port } = new URL(`http://${url}`)
    const upstream = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    for (const side of [upstream, socket]) side.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => t.proxy.listen(0, '127.0.0.1', resolve))
  for (const name of VARIABLES) delete process.env[name]
  process.env['HTTP_PROXY'] = `http://127.0.0.1:${(t.proxy.address() as AddressInfo).port}`
})

test.after.each(async ({ plane, proxy }) => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  await plane.close()
  proxy.closeAllConnections()
  await new Promise((resolve) => proxy.close(resolve))
})

test('HTTP_PROXY is the way to other hosts', async ({ plane, asked }) => {
  const status = await postJson({ url: plane.url, body: {}, timeoutMs: 5_000 })

  assert.ok(status >= 200 && status < 300)
  assert.equal(asked, [new URL(plane.url).host])
})

test('NO_PROXY is the way around it', async ({ plane, asked }) => {
  process.env['NO_PROXY'] = '127.0.0.1'

  await postJson({ url: plane.url, body: {}, timeoutMs: 5_000 })

  assert.equal(asked, [])
  assert.is(plane.calls.length, 1)
})

test.run()
