/** An HTTP proxy that opens tunnels, and a TLS front for a server that speaks none. */

import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type SecureContextOptions } from 'node:tls'

export interface Front {
  readonly port: number
  close(): Promise<void>
}

export interface ConnectProxy extends Front {
  /** `host:port` of each tunnel that was asked for. */
  readonly tunnels: readonly string[]
}

export async function startConnectProxy(): Promise<ConnectProxy> {
  const tunnels: string[] = []
  const server = createServer((_, response) => response.writeHead(501).end())
  const sockets = new Set<Duplex>()
  server.on('connect', ({ url = '' }, socket) => {
    tunnels.push(url)
    const { hostname, port } = new URL(`http://${url}`)
    pipeBoth(socket, connect(Number(port), hostname), sockets)
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
  })
  return Object.assign(await listen(server, sockets), { tunnels })
}

export async function startTlsFront(tls: SecureContextOptions, port: number): Promise<Front> {
  const sockets = new Set<Duplex>()
  const server = createTlsServer(tls, (socket) =>
    pipeBoth(socket, connect(port, '127.0.0.1'), sockets),
  )
  return await listen(server, sockets)
}

function pipeBoth(near: Duplex, far: Duplex, sockets: Set<Duplex>): void {
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    sockets.add(from)
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroy())
    from.pipe(to)
  }
}

async function listen(server: NetServer | Server, sockets: ReadonlySet<Duplex>): Promise<Front> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
