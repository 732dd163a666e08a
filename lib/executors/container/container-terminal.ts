/**
 * A container's terminal as the session sees it, and the truth about its end: a closed connection
 * may mean that the shell is gone, or that the engine is.
 *
 * @module
 */

import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Deadline } from '../../async/abort.ts'
import type { DockerClient } from '../../docker/client.ts'
import { attachContainer } from '../../docker/container-stream.ts'
import { containerExists, inspectContainer, waitContainer } from '../../docker/containers.ts'
import { ContainerError } from '../../errors.ts'
import type { Terminal } from '../../shell/terminal.ts'

/** A container whose terminal has closed is stopped within a tenth of a second. */
const EXIT_LIMIT_MS = 10_000

/** A silent terminal may belong to a silent command or to an engine that hangs: so it is asked. */
const WATCH_INTERVAL_MS = 10_000

export class ContainerTerminal implements Terminal {
  readonly exited: Promise<number>
  readonly #docker: DockerClient
  readonly #id: string
  readonly #socket: Duplex
  readonly #ended = new AbortController()

  /** Call before the container starts. */
  static async attach(docker: DockerClient, id: string, signal: AbortSignal) {
    return new ContainerTerminal(docker, id, await attachContainer(docker, id, signal))
  }

  private constructor(docker: DockerClient, id: string, socket: Duplex) {
    this.#docker = docker
    this.#id = id
    this.#socket = socket
    const closed = new Promise<void>((resolve) => {
      socket.once('end', resolve).once('close', resolve)
    })
    const lost = this.#watch()
    this.exited = Promise.race([closed.then(() => this.#askExitCode()), lost])
    this.exited.catch(() => undefined) // whoever waits for it gets the error
    void closed.then(() => this.#ended.abort())
  }

  get output(): AsyncIterable<Uint8Array> {
    return this.#read()
  }

  write(text: string): void {
    if (this.#socket.writable) this.#socket.write(text)
  }

  close(): void {
    this.#socket.destroy()
  }

  async *#read(): AsyncGenerator<Uint8Array, void> {
    try {
      for await (const chunk of this.#socket) yield chunk as Uint8Array
    } catch {
      // A reset, or our own close: what it means for the shell, `exited` tells.
    }
  }

  async #askExitCode(): Promise<number> {
    using limit = new Deadline(EXIT_LIMIT_MS)
    try {
      return await waitContainer(this.#docker, this.#id, limit.signal)
    } catch (error) {
      if (!limit.signal.aborted) throw error
    }
    await inspectContainer(this.#docker, this.#id) // throws when the engine hangs
    throw new ContainerError(
      'The engine closed the terminal of a container that is still running',
      {
        hint: 'See the log of the Docker Engine: it may have been restarted during the job.',
      },
    )
  }

  /** Never resolves; rejects when the engine stops answering. */
  async #watch(): Promise<never> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      try {
        await sleep(WATCH_INTERVAL_MS, undefined, { signal, ref: false })
        const exists = await containerExists(this.#docker, this.#id, signal)
        if (!exists) await inspectContainer(this.#docker, this.#id, signal) // says why not
      } catch (error) {
        if (signal.aborted) break
        this.close()
        throw error
      }
    }
    return await new Promise<never>(() => undefined)
  }
}
