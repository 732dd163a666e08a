/**
 * The way by which the programs of a job in a container ask the agent: a program that the agent
 * keeps running in the main container passes on what they write to FIFOs, and puts the answers where
 * they look for them. It needs no network, no mount and not the job's terminal.
 *
 * @module
 */

import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { onAbort } from '../../async/abort.ts'
import { attachExec } from '../../docker/exec.ts'
import { readFrames } from '../../docker/frames.ts'
import type { ByteString } from '../../files/byte-string.ts'
import { LineReader } from '../../toolbox/lines.ts'
import { LOST_ANSWER, ToolboxServer } from '../../toolbox/server.ts'
import type { SharedOptions } from '../kind.ts'
import {
  type ToolboxClient,
  ToolboxClients,
  type ToolboxClientsOptions,
} from './toolbox-clients.ts'

export interface ToolboxOptions
  extends ToolboxClientsOptions,
    Pick<SharedOptions, 'addSecret' | 'cache' | 'waits'> {}

/**
 * In bash alone, in the toolbox's directory. Both ways go by lines: who asks and what, to whom and
 * what, `+UID` for one more who asks. Of a line without an end no more is kept than any of ours has.
 * The files of the answers belong to root: nobody else can put a link in their place.
 */
const RELAY = `umask 022
LC_ALL=C
cd -- "$1" || exit
pids=()
listen() {
  while IFS= read -r -n 1000 line; do printf '%s %s\\n' "$2" "$line"; done <>"$1" &
  pids+=($!)
}
listen requests '?'
for path in asks/*; do listen "$path" "\${path##*/}"; done
while IFS= read -r line; do
  case $line in
    +*) listen "asks/\${line:1}" "\${line:1}" ;;
    *) printf '%s\\n' "\${line#* }" >>"replies/\${line%% *}" ;;
  esac
done
kill "\${pids[@]}"`

/** After a relay that has ended: with the container, or killed by the job. */
const RESTART_MS = 500

/** Since the container's start; more than this many is no accident. */
const MAX_STARTS = 20

export class ContainerToolbox {
  readonly #options: ToolboxOptions
  readonly #clients: ToolboxClients
  readonly #closed = new AbortController()
  #starts = 0
  #serving: Promise<void> | undefined
  /** Who waits for an answer of a relay that has ended. */
  #abandoned: readonly string[] = []

  constructor(options: ToolboxOptions) {
    this.#options = options
    this.#clients = new ToolboxClients(options)
  }

  /**
   * To be called whenever the container has started.
   *
   * @param delayMs for a job that has hardly begun: many are over before they ask for anything
   */
  listen(delayMs: number): void {
    this.#starts = 0
    this.#serving ??= this.#serve(delayMs)
  }

  /** Abandons what is under way. Safe to call twice; never rejects. */
  async close(): Promise<void> {
    this.#closed.abort()
    await this.#serving
  }

  /** One relay at a time: two would each take lines meant for the other. */
  async #serve(delayMs: number): Promise<void> {
    const { signal } = this.#closed
    for (let wait = delayMs; !signal.aborted; wait = RESTART_MS) {
      try {
        await sleep(wait, undefined, { signal, ref: false })
        if (this.#starts++ < MAX_STARTS) await this.#relay(signal)
      } catch {
        // The container or the engine has ended: whoever waits for the job's shell gets that error.
      }
    }
  }

  async #relay(signal: AbortSignal): Promise<void> {
    const { docker, containerId, directory } = this.#options
    const clients = await this.#clients.all(signal)
    const command = ['bash', '-p', '-c', RELAY, 'toolbox', directory]
    const socket = await attachExec(docker, containerId, { command, user: '0', signal })
    using _ = onAbort(signal, () => socket.destroy())
    const servers = new Map(
      clients.map((client) => [client.owner.uid, this.#openServer(client, socket)]),
    )
    const lines = new LineReader()
    try {
      signal.throwIfAborted()
      for (const name of this.#abandoned) await reply(socket, name, LOST_ANSWER)
      this.#abandoned = []
      for await (const { bytes } of readFrames(socket)) {
        for (const line of lines.push(bytes)) this.#take(line, socket, servers)
      }
    } finally {
      socket.destroy()
      const closed = [...servers].map(async ([uid, server]) =>
        (await server.close()).map((id) => nameOf(uid, id)),
      )
      this.#abandoned = (await Promise.all(closed)).flat()
    }
  }

  #take(line: ByteString, socket: Duplex, servers: Map<number, ToolboxServer>): void {
    const [head = '', from] = /^(\d+|\?) /.exec(line) ?? []
    const said = line.slice(head.length)
    if (from !== '?') servers.get(Number(from))?.take(said)
    else if (/^\d{1,10}$/.test(said)) {
      this.#admit(Number(said), socket, servers).catch(() => undefined) // it will ask again
    }
  }

  async #admit(uid: number, socket: Duplex, servers: Map<number, ToolboxServer>): Promise<void> {
    if (servers.has(uid)) return
    const client = await this.#clients.admit(uid, this.#closed.signal)
    if (client === undefined || servers.has(uid) || this.#closed.signal.aborted) return
    servers.set(uid, this.#openServer(client, socket))
    socket.write(`+${uid}\n`)
  }

  #openServer({ owner, files }: ToolboxClient, socket: Duplex): ToolboxServer {
    const { cache, addSecret, waits } = this.#options
    const send = (id: string, lines: readonly ByteString[]) =>
      reply(socket, nameOf(owner.uid, id), lines)
    return new ToolboxServer({ files, cache, addSecret, waits, user: owner, reply: send })
  }
}

/** Of the file with the answer: nobody's is mixed up with somebody else's. */
function nameOf(uid: number, id: string): string {
  return `${uid}.${id}`
}

async function reply(socket: Duplex, name: string, lines: readonly ByteString[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const text = lines.map((line) => `${name} ${line}`).join('')
  socket.write(text, 'latin1', (error) => (error ? reject(error) : resolve()))
  await promise
}
