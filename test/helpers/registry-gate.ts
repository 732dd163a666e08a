/** A gate in front of a real registry: sees who asks for what, and breaks what the test wants broken. */

import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Registry } from './registry.ts'

export interface Visit {
  readonly method: string
  readonly path: string
  /** `user:password`, decoded; empty without. */
  readonly login: string
}

/**
 * An HTTP status; a connection cut instead of an answer; an answer that never comes; one that comes
 * within 6 s, piece by piece; or one that is held back until a promise resolves.
 */
export type Fault = number | 'drop' | 'stall' | 'trickle' | Promise<void>

export interface Gate {
  /** As image references begin; the same registry is behind it. */
  readonly host: string
  readonly visits: readonly Visit[]
  /** From now on so many requests whose path matches end like that. */
  breakNext(path: RegExp, fault: Fault, times: number): void
  close(): Promise<void>
}

interface Breakage {
  readonly path: RegExp
  readonly fault: Fault
  left: number
}

export async function openGate(registry: Registry): Promise<Gate> {
  const visits: Visit[] = []
  const breakages: Breakage[] = []
  const server = createServer((incoming, response) => {
    const { method = '', url: path = '', headers } = incoming
    const basic = (headers.authorization ?? '').replace(/^Basic /, '')
    visits.push({ method, path, login: Buffer.from(basic, 'base64').toString() })
    const breakage = breakages.find((it) => it.left > 0 && it.path.test(path))
    if (breakage === undefined) return forward(registry, incoming, response)
    breakage.left--
    const { fault } = breakage
    if (fault instanceof Promise) {
      void fault.then(() => forward(registry, incoming, response))
      return
    }
    if (fault === 'trickle') forward(registry, incoming, response, trickle)
    else if (fault !== 'stall') answerWith(fault, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    visits,
    breakNext: (path, fault, times) => void breakages.push({ path, fault, left: times }),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Pipe = (from: IncomingMessage, to: ServerResponse) => void

function forward(
  registry: Registry,
  incoming: IncomingMessage,
  response: ServerResponse,
  pipe: Pipe = (from, to) => void from.pipe(to),
): void {
  const { method, url, headers } = incoming
  const onward = request(`http://${registry.host}${url}`, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    pipe(answer, response)
  })
  onward.on('error', () => response.destroy())
  incoming.pipe(onward)
}

/** An engine tells of every hundredth of a layer. */
const PIECES = 30

async function trickle(from: IncomingMessage, to: ServerResponse): Promise<void> {
  const body = Buffer.concat(await from.toArray())
  const size = Math.ceil(body.length / PIECES)
  for (let at = 0; at < body.length && !to.destroyed; at += size) {
    to.write(body.subarray(at, at + size))
    await sleep(200)
  }
  to.end()
}

const CODES: Readonly<Record<number, string>> = { 403: 'DENIED', 429: 'TOOMANYREQUESTS' }

function answerWith(fault: number | 'drop', response: ServerResponse): void {
  if (fault === 'drop') {
    response.destroy()
    return
  }
  const code = CODES[fault] ?? 'UNAVAILABLE'
  response.writeHead(fault, { 'content-type': 'application/json', 'retry-after': '1' })
  response.end(JSON.stringify({ errors: [{ code, message: 'come back later' }] }))
}
