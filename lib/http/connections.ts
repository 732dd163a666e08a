/**
 * The connections of a server: how many there may be, who has to go when they are too many, and how
 * all of them are closed. Node's own `maxConnections` turns away whoever comes last, and that is the
 * control plane when somebody else holds all the others.
 *
 * @module
 */

import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import type { Logger } from '../log.ts'

export interface ConnectionLimits {
  readonly total: number
  /** Of those from one address that have not shown a valid token. */
  readonly strangersPerAddress: number
}

/** Between two lines of the log. */
const REPORT_MS = 60_000

/** No client has more requests on their way than this; who does not wait for answers would have all turns. */
const MAX_UNANSWERED = 64

/** Whoever floods a server must not make it search. */
const MAX_LOOKED_AT = 64

interface Connection {
  readonly address: string
  /** TCP's, and TLS's once the handshake is done. */
  readonly sockets: Socket[]
  /** That it still has to give. */
  answers: number
}

export class Connections {
  readonly #limits: ConnectionLimits
  readonly #log: Logger
  /** From the first packet on. */
  readonly #all = new Set<Connection>()
  /** Those that have not shown a valid token, the oldest first; and by their addresses. */
  readonly #strangers = new Set<Connection>()
  readonly #strangersFrom = new Map<string, Set<Connection>>()
  readonly #bySocket = new WeakMap<Socket, Connection>()
  /** Before the handshake is done, by the peer's address and port. */
  readonly #byPeer = new Map<string, Connection>()
  #isEnding = false
  #turnedAway = 0
  #lastAddress = ''
  #pause: NodeJS.Timeout | undefined

  constructor(server: Server, limits: ConnectionLimits, log: Logger) {
    this.#limits = limits
    this.#log = log
    server.on('connection', (socket: Socket) => this.#admit(socket))
    server.on('secureConnection', (socket: Socket) => this.#onSecure(socket))
    // Before the app's own listener, which may answer at once.
    server.prependListener('request', ({ socket }, response) => {
      this.#count(socket, 1)
      if (this.#isEnding) response.setHeader('connection', 'close')
      response.once('close', () => this.#count(socket, -1))
    })
  }

  /** A valid token came over it: it is not closed in favour of others any more. */
  trust(socket: Socket): void {
    const connection = this.#bySocket.get(socket)
    if (connection !== undefined) this.#forgetStranger(connection)
  }

  /** A request came in, and its answer is not over. */
  owesAnswer(socket: Socket): boolean {
    return (this.#bySocket.get(socket)?.answers ?? 0) > 0
  }

  /** Closes every connection as soon as it has given the answers it owes. */
  end(): void {
    this.#isEnding = true
    for (const { sockets, answers } of this.#all) {
      if (sockets.length > 1 && answers === 0) destroy(sockets)
    }
  }

  /** Closes every connection, whatever it is doing. */
  cut(): void {
    for (const { sockets } of this.#all) destroy(sockets)
  }

  #admit(socket: Socket): void {
    const address = networkOf(socket.remoteAddress ?? '')
    if (!this.#makeRoom(address)) {
      socket.destroy()
      return
    }
    const peer = peerOf(socket)
    const connection: Connection = { address, sockets: [socket], answers: 0 }
    const neighbours = this.#strangersFrom.get(address) ?? new Set()
    this.#strangersFrom.set(address, neighbours.add(connection))
    this.#strangers.add(connection)
    this.#all.add(connection)
    this.#byPeer.set(peer, connection)
    socket.once('close', () => {
      if (this.#byPeer.get(peer) === connection) this.#byPeer.delete(peer)
      this.#forget(connection)
    })
  }

  #onSecure(socket: Socket): void {
    const peer = peerOf(socket)
    const connection = this.#byPeer.get(peer)
    if (connection === undefined) {
      socket.destroy() // its turn to go came during the handshake
      return
    }
    this.#byPeer.delete(peer)
    this.#bySocket.set(socket, connection)
    connection.sockets.push(socket)
    socket.once('close', () => this.#forget(connection))
  }

  /** @returns false when nobody can be closed in favour of another connection from that address */
  #makeRoom(address: string): boolean {
    const neighbours = this.#strangersFrom.get(address)
    const isCrowd = (neighbours?.size ?? 0) >= this.#limits.strangersPerAddress
    if (!isCrowd && this.#all.size < this.#limits.total) return true
    this.#report(address)
    const victim = chooseVictim((isCrowd ? neighbours : this.#strangers) ?? new Set())
    if (victim === undefined) return false
    this.#forget(victim)
    destroy(victim.sockets)
    return true
  }

  #forget(connection: Connection): void {
    this.#all.delete(connection)
    this.#forgetStranger(connection)
  }

  #forgetStranger(connection: Connection): void {
    this.#strangers.delete(connection)
    const neighbours = this.#strangersFrom.get(connection.address)
    neighbours?.delete(connection)
    if (neighbours?.size === 0) this.#strangersFrom.delete(connection.address)
  }

  #count(socket: Socket, change: number): void {
    const connection = this.#bySocket.get(socket)
    if (connection === undefined) return
    connection.answers += change
    if (connection.answers > MAX_UNANSWERED) destroy(connection.sockets)
    // Its last bytes are with the kernel: `destroySoon` lets go of what is not, first.
    if (this.#isEnding && connection.answers === 0) socket.destroySoon()
  }

  #report(address: string): void {
    this.#turnedAway++
    this.#lastAddress = address
    if (this.#pause === undefined) this.#writeReport()
  }

  /** At once, and then once a minute: whoever floods a server must not flood its log. */
  readonly #writeReport = (): void => {
    this.#pause = undefined
    if (this.#turnedAway === 0) return
    const { total, strangersPerAddress } = this.#limits
    this.#log.warn(
      `Too many connections: ${this.#turnedAway} closed that had not sent a valid token, most recently to make room for ${this.#lastAddress} (limits: ${total}, without a token ${strangersPerAddress} from one address)`,
    )
    this.#turnedAway = 0
    this.#pause = setTimeout(this.#writeReport, REPORT_MS).unref()
  }
}

/**
 * The oldest; of those in the older half rather one that has not sent a byte, so that a client in
 * its handshake outlasts those who do nothing but connect again and again.
 */
function chooseVictim(strangers: ReadonlySet<Connection>): Connection | undefined {
  let left = Math.min(MAX_LOOKED_AT, Math.ceil(strangers.size / 2))
  for (const connection of strangers) {
    if (left-- === 0) break
    const [tcp] = connection.sockets
    if (tcp?.bytesRead === 0) return connection
  }
  const [oldest] = strangers
  return oldest
}

function destroy(sockets: readonly Socket[]): void {
  for (const socket of sockets.toReversed()) socket.destroy()
}

/** The same for TCP's socket and TLS's. */
function peerOf({ localAddress, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${remoteAddress} ${remotePort}`
}

/** An IPv4 address; of an IPv6 one the first 64 bits, of which one host may have all addresses. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address
  const [head = [], tail = []] = address
    .split('::')
    .map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0')
  return [...head, ...zeros, ...tail].slice(0, 4).join(':')
}
