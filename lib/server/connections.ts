/**
 * The connections of a server, so that it can be closed without waiting for those who only hold
 * one open. Node's own `closeIdleConnections` spares whoever has not asked anything yet, and its
 * `closeAllConnections` whoever is still in the TLS handshake.
 *
 * @module
 */

import type { Server } from 'node:https'
import type { Socket } from 'node:net'

export class Connections {
  /** From the first packet on. */
  readonly #all = new Set<Socket>()
  /** Through the TLS handshake; how many answers each still has to give. */
  readonly #answers = new Map<Socket, number>()
  #isEnding = false

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#all.add(socket)
      socket.once('close', () => this.#all.delete(socket))
    })
    server.on('secureConnection', (socket: Socket) => {
      this.#answers.set(socket, 0)
      socket.once('close', () => this.#answers.delete(socket))
    })
    // Before the app's own listener, which may answer at once.
    server.prependListener('request', ({ socket }, response) => {
      this.#count(socket, 1)
      if (this.#isEnding) response.setHeader('connection', 'close')
      response.once('close', () => this.#count(socket, -1))
    })
  }

  /** A request came in, and its answer is not over. */
  owesAnswer(socket: Socket): boolean {
    return (this.#answers.get(socket) ?? 0) > 0
  }

  /** Closes every connection as soon as it has given the answers it owes. */
  end(): void {
    this.#isEnding = true
    for (const [socket, answers] of this.#answers) if (answers === 0) socket.destroy()
  }

  /** Closes every connection, whatever it is doing. */
  cut(): void {
    for (const socket of [...this.#answers.keys(), ...this.#all]) socket.destroy()
  }

  #count(socket: Socket, change: number): void {
    const answers = (this.#answers.get(socket) ?? 0) + change
    if (socket.destroyed) return
    this.#answers.set(socket, answers)
    // Its last bytes are with the kernel: `destroySoon` lets go of what is not, first.
    if (this.#isEnding && answers === 0) socket.destroySoon()
  }
}
