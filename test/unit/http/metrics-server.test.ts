import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError } from '../../../lib/errors.ts'
import { serveMetrics } from '../../../lib/http/metrics-server.ts'
import { collectingLogger } from '../../helpers/collecting-logger.ts'
import { rejection } from '../../helpers/rejection.ts'

const test = suite('http: metrics server')

async function start(render: () => Promise<string>) {
  const log = collectingLogger()
  const server = await serveMetrics({ host: '127.0.0.1', port: 0, render, log })
  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method })
    return { status: answer.status, text: await answer.text(), type: answer.headers }
  }
  return { server, ask, log }
}

test('metrics are there, and nothing else', async () => {
  const { server, ask } = await start(async () => 'agent_syncs_total 3\n')
  try {
    const metrics = await ask('/metrics')

    assert.is(metrics.status, 200)
    assert.is(metrics.text, 'agent_syncs_total 3\n')
    assert.match(metrics.type.get('content-type') ?? '', 'text/plain; version=0.0.4')
    assert.is((await ask('/')).status, 404)
    assert.is((await ask('/metricsx')).status, 404)
    assert.is((await ask('/metrics', 'POST')).status, 405)
  } finally {
    await server.close()
  }
})

test('metrics that fail are an answer, and told in the log', async () => {
  const { server, ask, log } = await start(() => Promise.reject(new Error('no more numbers')))
  try {
    const { status, text } = await ask('/metrics')

    assert.is(status, 500)
    assert.not.match(text, 'numbers')
    assert.match(log.errors.join(), 'no more numbers')
  } finally {
    await server.close()
  }
})

test('a port in use is refused with the setting to change', async () => {
  const { server } = await start(async () => '')
  try {
    const log = collectingLogger()
    const options = { host: '127.0.0.1', port: server.port, render: async () => '', log }

    const error = (await rejection(serveMetrics(options))) as ConfigError

    assert.instance(error, ConfigError)
    assert.match(error.message, 'the port is in use')
    assert.match(error.hint, '--metrics-port')
  } finally {
    await server.close()
  }
})

test.run()
