/** The real engine behind a socket of its own, which passes everything on but what the test wants to go wrong. */

import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ENGINE_SOCKET } from '../setup/engine.ts'

/** One call that a fault has caught. */
export interface Caught {
  readonly request: IncomingMessage
  /** The connection itself; of an upgrade all there is to answer with. */
  readonly socket: Duplex
  /** Absent for an upgrade. */
  readonly response: ServerResponse | undefined
  /** Does after all what would have been done without the fault. */
  pass(): void
}

export type Fault = (call: Caught) => void

export interface EngineProxy {
  /** For the agent. */
  readonly environment: Readonly<Record<string, string>>
  readonly socketPath: string
  /** Each call so far, as `METHOD /path?query` without the version. */
  readonly calls: readonly string[]
  /** From now on, calls that match meet the fault. The last one set wins. */
  on(call: RegExp, fault: Fault): void
  /** Every fault is over. */
  heal(): void
  /** Nothing listens any more and every connection is cut, as after the engine's death. */
  die(): Promise<void>
  /** Listens again under the same path. */
  revive(): Promise<void>
  close(): Promise<void>
  /** The real name of the first container that was asked for; empty when there was none. */
  readonly mainContainer: string
}

export async function startEngineProxy(): Promise<EngineProxy> {
  const socketPath = join(tmpdir(), `${randomBytes(4).toString('hex')}.sock`)
  const calls: string[] = []
  const faults: Array<{ readonly call: RegExp; readonly fault: Fault }> = []
  const sockets = new Set<Duplex>()

  const keep = <T extends Duplex>(socket: T): T => {
    if (sockets.has(socket)) return socket // used again for the next call
    sockets.add(socket)
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket))
    return socket
  }
  const handle = (request: IncomingMessage, pass: () => void, response?: ServerResponse) => {
    const call = `${request.method} ${request.url?.replace(/^\/v[\d.]+/, '')}`
    calls.push(call)
    const found = faults.findLast((entry) => entry.call.test(call))
    if (found === undefined) pass()
    else found.fault({ request, socket: request.socket, response, pass })
  }
  const server = createServer((request, response) =>
    handle(request, () => passOn(request, response, keep), response),
  )
    .on('connection', keep)
    .on('upgrade', (request, socket, head) =>
      handle(request, () => tunnel(request, keep(socket), head, keep)),
    )
  server.keepAliveTimeout = 0 // an engine keeps idle connections for ever
  const listen = () => new Promise<void>((resolve) => server.listen(socketPath, resolve))
  const die = async () => {
    for (const socket of sockets) socket.destroy()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
    await rm(socketPath, { force: true })
  }
  await listen()
  return {
    environment: { DOCKER_HOST: `unix://${socketPath}` },
    socketPath,
    calls,
    on: (call, fault) => void faults.push({ call, fault }),
    heal: () => void faults.splice(0),
    die,
    revive: listen,
    close: die,
    get mainContainer() {
      const call = calls.find((text) => text.startsWith('POST /containers/create'))
      return new URLSearchParams(call?.split('?')[1]).get('name') ?? ''
    },
  }
}

/** The call is taken and never answered. */
export const neverAnswer: Fault = ({ request }) => void request.resume()

/** The connection is closed in place of an answer. */
export const hangUp: Fault = ({ socket }) => void socket.destroy()

/** What the engine says when it refuses. */
export function refuse(status: number, message: string): Fault {
  return ({ request, response, socket }) => {
    request.resume()
    const body = JSON.stringify({ message })
    if (response === undefined) {
      socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    } else response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  }
}

/** The engine does what it is asked, and half of what it answers arrives. */
export const loseAnswer: Fault = ({ request, response, socket }) => {
  const { method, url, headers } = request
  const upstream = ask({ method, path: url, headers })
  upstream.once('response', (answer) => {
    answer.resume().once('end', () => {
      response?.writeHead(answer.statusCode ?? 500, { 'content-length': 100 })
      response?.write('{"Id":', () => socket.destroy())
    })
  })
  request.pipe(upstream)
}

/** An answer with this body, of which the end never comes: the connection is cut. */
export function breakOff(body: string): Fault {
  return ({ request, response, socket }) => {
    request.resume()
    response?.writeHead(200, { 'content-type': 'application/json' })
    response?.write(body, () => socket.destroy())
  }
}

/** The engine's own answer, changed on its way. */
export function change<T>(edit: (answer: T) => object): Fault {
  return ({ request, response }) => {
    const { method, url } = request
    const upstream = ask({ method, path: url }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      answer.once('end', () => {
        response?.writeHead(answer.statusCode ?? 500, { 'content-type': 'application/json' })
        response?.end(JSON.stringify(edit(JSON.parse(text) as T)))
      })
    })
    request.pipe(upstream)
  }
}

/** Something happens first, then the call goes its way. */
export function after(work: () => Promise<unknown>): Fault {
  return (call) => void work().then(call.pass)
}

/** One connection per call: a pooled one would be the next call's by the time this one is let go. */
function ask(options: RequestOptions, onAnswer?: (answer: IncomingMessage) => void) {
  return httpRequest({ ...options, socketPath: ENGINE_SOCKET, agent: false }, onAnswer)
}

type Keep = <T extends Duplex>(socket: T) => T

function passOn(request: IncomingMessage, response: ServerResponse, keep: Keep): void {
  const { method, url, headers } = request
  const upstream = ask({ method, path: url, headers })
  upstream.once('socket', keep)
  upstream.once('response', (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    response.flushHeaders()
    pipeline(answer, response).catch(() => response.destroy())
  })
  upstream.once('error', () => response.destroy())
  response.once('close', () => upstream.destroy())
  request.pipe(upstream)
}

/** Both ends as they are, from the request's own bytes on. */
function tunnel(request: IncomingMessage, socket: Duplex, head: Buffer, keep: Keep): void {
  const upstream: Socket = keep(connect(ENGINE_SOCKET))
  const { method, url, rawHeaders } = request
  const headers = rawHeaders.flatMap((name, i) => (i % 2 ? [] : [`${name}: ${rawHeaders[i + 1]}`]))
  upstream.write(`${method} ${url} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
  upstream.write(head)
  socket.pipe(upstream).pipe(socket)
  socket.once('close', () => upstream.destroy())
  upstream.once('close', () => socket.destroy())
}
