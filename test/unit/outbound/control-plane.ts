/** A small control plane on a real port, which answers callbacks as the test says. */

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

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

/** The last of the answers is given from then on. */
export async function startControlPlane(...answers: readonly Answer[]): Promise<ControlPlane> {
  const calls: Call[] = []
  const server = createServer((request, response) => {
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
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
