/**
 * Metrics over plain HTTP, for an agent that has no API: `GET /metrics`, and nothing else.
 *
 * @module
 */

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { explain } from '../errors.ts'
import type { Logger } from '../log.ts'
import { bind } from './bind.ts'

export interface MetricsServerOptions {
  readonly host: string
  /** 0 = any that is free. */
  readonly port: number
  /** Prometheus text. */
  readonly render: () => Promise<string>
  readonly log: Logger
}

export interface MetricsServer {
  readonly port: number
  /** Cuts off who is still reading. Repeatable. */
  close(): Promise<void>
}

/** Whoever asks has nothing to send but a few headers. */
const LIMITS = { headersTimeout: 5_000, requestTimeout: 5_000, maxHeaderSize: 8 * 1024 }

/** Beyond the few that read metrics. */
const MAX_CONNECTIONS = 50

/** @throws {ConfigError} when the address cannot be had */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port, render, log } = options
  const server = createServer(LIMITS, ({ method, url }, response) => {
    const isMetrics = /^\/metrics(\?|$)/.test(url ?? '')
    if (!isMetrics) answer(response, 404, 'Only GET /metrics is served.\n')
    else if (method !== 'GET' && method !== 'HEAD') answer(response, 405, 'Use GET.\n')
    else {
      render().then(
        (text) => answer(response, 200, text),
        (error: unknown) => {
          log.error(`The metrics cannot be rendered: ${explain(error)}`)
          answer(response, 500, 'The agent failed; see its own log.\n')
        },
      )
    }
  })
  server.maxConnections = MAX_CONNECTIONS
  await bind(server, { host, port, prefix: '--metrics-' })
  server.on('error', (error) => log.error(`The metrics socket: ${error.message}`))
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    connection: 'close', // else one that anybody may open could ask without end, and send a body without one
  })
  response.end(text)
}
