/**
 * The way by which the programs of a job in a container ask the agent: a program that the agent
 * keeps running in the main container passes on what they write to a FIFO, and puts the answers
 * where they look for them. It needs no network, no mount and not the job's terminal.
 *
 * @module
 */

import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FileOwner } from '../../cache/job-files.ts'
import type { CachePlace } from '../../cache/open-store.ts'
import type { DockerClient } from '../../docker/client.ts'
import { attachExec } from '../../docker/exec.ts'
import { readFrames } from '../../docker/frames.ts'
import { Desk, LOST_ANSWER } from '../../toolbox/desk.ts'
import { ContainerFiles } from './job-files.ts'

export interface ToolboxOptions {
  readonly docker: DockerClient
  readonly containerId: string
  /** Of the toolbox, in the container. */
  readonly directory: string
  readonly cache: CachePlace
  /** Of the job's shell. */
  readonly user: FileOwner
}

/**
 * In bash alone. Both ways go by lines. `$1` is the toolbox's directory. The files of the answers
 * belong to root: nobody else can put a link in their place.
 */
const RELAY = `umask 022
LC_ALL=C
exec 3<>"$1/requests"
while IFS= read -r line <&3; do printf '%s\\n' "$line"; done &
while IFS= read -r line; do printf '%s\\n' "\${line#* }" >>"$1/replies/\${line%% *}"; done
kill $!`

/** After a relay that has ended: with the container, or killed by the job. */
const RESTART_MS = 500

/** Since the container's start; more than this many is no accident. */
const MAX_STARTS = 20

export class ContainerToolbox {
  readonly #options: ToolboxOptions
  readonly #files: ContainerFiles
  readonly #closed = new AbortController()
  #starts = 0
  #serving: Promise<void> | undefined
  /** Who waits for an answer of a relay that has ended. */
  #abandoned: readonly string[] = []

  constructor(options: ToolboxOptions) {
    this.#options = options
    const { docker, containerId } = options
    this.#files = new ContainerFiles({ docker, containerId, user: limitOf(options.user) })
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

  /** One relay at a time: two would take the words out of each other's mouths. */
  async #serve(delayMs: number): Promise<void> {
    const { signal } = this.#closed
    for (let wait = delayMs; !signal.aborted; wait = RESTART_MS) {
      try {
        await sleep(wait, undefined, { signal, ref: false })
        if (this.#starts++ < MAX_STARTS) await this.#relay(signal)
      } catch {
        // The container has ended, or the engine: whoever waits for the job's shell is told.
      }
    }
  }

  async #relay(signal: AbortSignal): Promise<void> {
    const { docker, containerId, directory, cache, user } = this.#options
    const command = ['bash', '-p', '-c', RELAY, 'toolbox', directory]
    const socket = await attachExec(docker, containerId, { command, user: '0', signal })
    const stop = () => socket.destroy()
    signal.addEventListener('abort', stop, { once: true })
    const reply = replyOver(socket)
    const desk = new Desk({ files: this.#files, cache, reply, user: limitOf(user) })
    try {
      signal.throwIfAborted()
      for (const id of this.#abandoned) await reply(id, LOST_ANSWER)
      this.#abandoned = []
      for await (const { bytes } of readFrames(socket)) desk.push(bytes)
    } finally {
      signal.removeEventListener('abort', stop)
      socket.destroy()
      this.#abandoned = await desk.close()
    }
  }
}

/** Root may ask in anybody's name. */
function limitOf(user: FileOwner): FileOwner | undefined {
  return user.uid === 0 ? undefined : user
}

function replyOver(socket: Duplex) {
  return async (id: string, lines: readonly string[]): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const text = lines.map((line) => `${id} ${line}`).join('')
    socket.write(text, 'latin1', (error) => (error ? reject(error) : resolve()))
    await promise
  }
}
