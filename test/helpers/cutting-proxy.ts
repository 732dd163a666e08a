/**
 * A way to a server on which connections are cut, as on a bad network. By destroy() alone: with
 * resetAndDestroy(), Node 24 now and then never got out of its own end of the process.
 */

import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CuttingProxy {
  readonly port: number
  /** So far. */
  readonly connections: number
  /** That went through, both ways, so far. */
  readonly bytes: number
  /** Cuts the next connections, each after this many bytes, both ways counted. */
  cutNext(...afterBytes: number[]): void
  /** Those announced that did not come. */
  forgetCuts(): void
  /** Cuts the next connections when the server answers for the first time: nobody hears it. */
  dropAnswers(connections: number): void
  /** Cuts all there are, and refuses new ones until it is called with `false`. */
  down(isDown: boolean): void
  close(): Promise<void>
}

export async function startCuttingProxy(targetPort: number): Promise<CuttingProxy> {
  const open = new Set<Socket>()
  const cuts: number[] = []
  let connections = 0
  let total = 0
  let isDown = false
  let deaf = 0
  const server = createServer((near) => {
    if (isDown) return void near.destroy()
    connections++
    let left = cuts.shift() ?? Number.POSITIVE_INFINITY
    const isDeaf = deaf > 0
    if (isDeaf) deaf--
    const far = connect(targetPort, '127.0.0.1')
    const end = () => {
      near.destroy()
      far.destroy()
    }
    const pass = (from: Socket, to: Socket) => (chunk: Buffer) => {
      left -= chunk.length
      total += chunk.length
      if (left < 0 || (isDeaf && to === near)) {
        near.destroy()
        far.destroy()
      } else if (!to.write(chunk)) {
        from.pause()
        to.once('drain', () => from.resume())
      }
    }
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from)
      from.on('data', pass(from, to))
      from.on('error', end)
      from.on('end', () => to.end())
      from.on('close', () => {
        open.delete(from)
        end()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections
    },
    get bytes() {
      return total
    },
    cutNext: (...afterBytes) => void cuts.push(...afterBytes),
    forgetCuts: () => void cuts.splice(0),
    dropAnswers(count) {
      deaf += count
    },
    down(value) {
      isDown = value
      if (value) for (const socket of open) socket.destroy()
    },
    async close() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
