/** A server of this host's loopback at another of its addresses, for those who are not on it. */

import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface PortForward {
  /** `host:port` */
  readonly address: string
  close(): Promise<void>
}

export async function forwardPort(host: string, port: number): Promise<PortForward> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => sockets.delete(socket))
      socket.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return {
    address: `${host}:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
