/** A Docker daemon that says what the test told it to say, on a real Unix socket. */

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unreachable } from 'uvu/assert'

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

export interface FakeDaemon {
  readonly socketPath: string
  /** Every request so far, as `METHOD /path`, without the version. */
  readonly calls: string[]
  /** The version each of them was made under. */
  readonly versions: string[]
  answer(route: string, status: number, body?: unknown): void
  /** For answers that are late, half, or no HTTP at all. */
  handle(route: string, answer: Answer): void
  onUpgrade(listener: (socket: Socket) => void): void
  close(): Promise<void>
}

export async function fakeDaemon(version = { ApiVersion: '1.41', MinAPIVersion: '1.12' }) {
  const dir = await mkdtemp(join(tmpdir(), 'agent-'))
  const socketPath = join(dir, 'd.sock') // short: a socket path holds at most 107 bytes
  const calls: string[] = []
  const versions: string[] = []
  const routes = new Map<string, Answer>()
  const sockets = new Set<Socket>()
  let upgraded: (socket: Socket) => void = (socket) => socket.destroy()

  const take = (request: IncomingMessage): Answer | undefined => {
    const [, number = '', path = ''] = /^\/v([\d.]+)(.*)$/.exec(request.url ?? '') ?? []
    const call = `${request.method} ${path || request.url}`
    calls.push(call)
    versions.push(number)
    return routes.get(call)
  }
  const server = createServer((request, response) => {
    const answer = take(request)
    request.resume()
    if (answer === undefined) reply(response, 500, { message: `no answer for ${calls.at(-1)}` })
    else answer(request, response)
  })
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.on('upgrade', (request, socket: Socket) => {
    const answer = take(request)
    if (answer !== undefined) {
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 21\r\n\r\n{"message":"no such"}')
      return
    }
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
    upgraded(socket)
  })
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(socketPath, resolve),
  )
  routes.set('GET /version', (_request, response) => reply(response, 200, version))

  const daemon: FakeDaemon = {
    socketPath,
    calls,
    versions,
    answer: (route, status, body) =>
      void routes.set(route, (_request, response) => reply(response, status, body)),
    handle: (route, answer) => void routes.set(route, answer),
    onUpgrade: (listener) => {
      upgraded = listener
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await rm(dir, { recursive: true, force: true })
    },
  }
  return daemon
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}

/** The error a promise rejects with; `assert.throws` cannot see inside a promise. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => unreachable('expected a rejection'),
    (reason: unknown) => reason,
  )
  return error as Error
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
