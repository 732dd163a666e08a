import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createTypeFigures } from '../../../lib/metrics/type-figures.ts'
import { createOutboundClient } from '../../../lib/outbound.ts'
import { collectingLogger } from '../../helpers/collecting-logger.ts'

const test = suite('metrics: figures of an agent type')

const FIGURES = { jobs: { queued: 4, running: 2 }, agents: { idle: 0, occupied: 2 } }

/** A control plane that answers one question, in the way it is told to. */
async function withControlPlane(
  answer: { status: number; body: string },
  use: (it: {
    ask: ReturnType<typeof createTypeFigures>
    log: ReturnType<typeof collectingLogger>
    asked: { url: string | undefined; headers: IncomingHttpHeaders }[]
  }) => Promise<void>,
): Promise<void> {
  const asked: { url: string | undefined; headers: IncomingHttpHeaders }[] = []
  const server = createServer((request, response) => {
    asked.push({ url: request.url, headers: request.headers })
    response.writeHead(answer.status).end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = createOutboundClient()
  const log = collectingLogger()
  const { port } = server.address() as AddressInfo
  const baseUrl = `http://127.0.0.1:${port}/api/v1/self_hosted_agents`
  try {
    await use({ ask: createTypeFigures({ baseUrl, token: 's1-x', client, log }), log, asked })
  } finally {
    await client.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

test('they are asked for with the registration token, once for several scrapes', async () => {
  await withControlPlane({ status: 200, body: JSON.stringify(FIGURES) }, async (plane) => {
    const answers = await Promise.all([plane.ask(), plane.ask()])

    assert.equal(answers, [FIGURES, FIGURES])
    assert.is(plane.asked.length, 1)
    assert.is(plane.asked[0]?.url, '/api/v1/self_hosted_agents/metrics')
    assert.is(plane.asked[0]?.headers.authorization, 'Token s1-x')
  })
})

for (const [name, status, body, reason] of [
  ['a refusal', 401, 'no', 'it answered 401'],
  ['a page for people', 200, '<html>', 'it answered 200'],
  ['other numbers', 200, '{"jobs":{"queued":-1}}', 'it answered 200'],
] as const) {
  test(`${name} is told in the log, and no figure is made of it`, async () => {
    await withControlPlane({ status, body }, async ({ ask, log }) => {
      assert.is(await ask(), undefined)
      assert.match(log.warnings.join(), reason)
      assert.not.match(log.warnings.join(), 's1-x')
    })
  })
}

test.run()
