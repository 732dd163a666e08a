/** A small control plane on a real port, which answers callbacks as the test says. For agents that call: `hub.ts`. */

import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { SecureContextOptions } from 'node:tls'

export interface Call {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A status; or what to do with the answer instead. */
export type Answer = number | ((response: ServerResponse) => void)

export interface ControlPlane {
  readonly url: string
  readonly calls: readonly Call[]
  close(): Promise<void>
}

/** @param answers of which the last is given from then on; 200 when there is none */
export async function startControlPlane(...answers: readonly Answer[]): Promise<ControlPlane> {
  const calls: Call[] = []
  return await listen(calls, createServer(answering(calls, answers)), 'http')
}

/** The same at another address of this host, for agents that are not on it. */
export async function startControlPlaneAt(host: string): Promise<ControlPlane> {
  const calls: Call[] = []
  return await listen(calls, createServer(answering(calls, [])), 'http', host)
}

/** The same over TLS, with a certificate for `localhost` and 127.0.0.1. */
export async function startTlsControlPlane(tls: SecureContextOptions): Promise<ControlPlane> {
  const calls: Call[] = []
  return await listen(calls, createTlsServer(tls, answering(calls, [])), 'https')
}

function answering(calls: Call[], answers: readonly Answer[]) {
  return (request: IncomingMessage, response: ServerResponse) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      const answer = answers[Math.min(calls.length, answers.length - 1)] ?? 200
      const { method = '', url = '', headers } = request
      calls.push({ method, path: url, headers, body })
      if (typeof answer === 'number') response.writeHead(answer).end()
      else answer(response)
    })
  }
}

async function listen(
  calls: readonly Call[],
  server: ReturnType<typeof createServer> | ReturnType<typeof createTlsServer>,
  scheme: string,
  host = '127.0.0.1',
): Promise<ControlPlane> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return {
    url: `${scheme}://${host}:${(server.address() as AddressInfo).port}`,
    calls,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
