/**
 * Answers what a job's programs ask, many at once, each in its own time.
 *
 * @module
 */

import { LinkedAbort } from '../async/abort.ts'
import { createGate } from '../async/in-order.ts'
import type { Waits } from '../async/waits.ts'
import { absolutePath, type FileOwner, type JobFiles, md5Of } from '../cache/job-files.ts'
import type { CacheConfig } from '../cache/store-context.ts'
import { toLine } from '../errors.ts'
import { type ByteString, bufferOf, bytes, encodeBytes } from '../files/byte-string.ts'
import type { AddSecret } from '../masking/masking.ts'
import { RequestReader, type ToolboxRequest } from './request.ts'

export interface ToolboxServerOptions {
  readonly files: JobFiles
  readonly cache: CacheConfig
  readonly addSecret: AddSecret
  /** For who looks on. */
  readonly waits?: Waits | undefined
  /** Who asks here; absent = as each says, for a server that only the job's user and root can reach. */
  readonly user?: FileOwner | undefined
  /**
   * Puts lines (each with its newline) at the end of what the client of that id reads. The
   * ids are numbers and a dash: safe as names of files.
   */
  readonly reply: (id: string, lines: readonly ByteString[]) => Promise<void>
}

/** A client learns by this, again and again, that somebody is there: what follows may take its time. */
const HEARD = bytes`!\n`

/** Clients wait ten times as long before they give up. */
const HEARD_INTERVAL_MS = 2_000

/** Answered side by side; the others wait for their turn. */
const AT_ONCE = 64

/** What a request takes is bounded, and so is how many there may be. */
const MAX_WAITING = 1_000

/** More than can be asked again in the time it takes to ask so many. */
const MAX_SEEN = 10_000

/** For what is under way to clear up behind it; a store on the network may never answer. */
const CLOSE_LIMIT_MS = 2_000

export class ToolboxServer {
  readonly #options: ToolboxServerOptions
  readonly #reader = new RequestReader()
  readonly #whenItsTurn = createGate(AT_ONCE)
  readonly #running = new Map<string, LinkedAbort>()
  readonly #answers = new Set<Promise<void>>()
  /** Of all requests so far: one that was not heard at once comes again. */
  readonly #seen = new Set<string>()
  readonly #closed = new AbortController()
  #heartbeat: NodeJS.Timeout | undefined

  constructor(options: ToolboxServerOptions) {
    this.#options = options
  }

  /** A line that a program of the job has written. */
  take(line: ByteString): void {
    if (this.#closed.signal.aborted) return
    const message = this.#reader.take(line)
    if (message?.type === 'cancel') this.#running.get(message.id)?.abort()
    else if (message !== undefined && !this.#seen.has(message.request.id)) {
      this.#begin(message.request)
    }
  }

  /**
   * Abandons everything under way; resolves when nothing is left of it. Never rejects.
   *
   * @returns ids of those who wait for an answer that they will not get from here
   */
  async close(): Promise<readonly string[]> {
    const abandoned = [...this.#running.keys()]
    this.#closed.abort()
    clearInterval(this.#heartbeat)
    const { promise, resolve } = Promise.withResolvers<void>()
    const limit = setTimeout(resolve, CLOSE_LIMIT_MS)
    await Promise.race([Promise.all(this.#answers), promise])
    clearTimeout(limit)
    return abandoned
  }

  #begin(request: ToolboxRequest): void {
    // Asked again later, when there may be room.
    if (this.#running.size >= MAX_WAITING) return
    const cancel = new LinkedAbort(this.#closed.signal)
    this.#remember(request.id)
    this.#heartbeat ??= setInterval(this.#reassure, HEARD_INTERVAL_MS).unref()
    this.#running.set(request.id, cancel)
    const answer = this.#answer(request, cancel.signal).finally(() => {
      cancel[Symbol.dispose]()
      this.#running.delete(request.id)
      this.#answers.delete(answer)
    })
    this.#answers.add(answer)
  }

  #remember(id: string): void {
    this.#seen.add(id)
    const [oldest = id] = this.#seen
    if (this.#seen.size > MAX_SEEN) this.#seen.delete(oldest)
  }

  readonly #reassure = (): void => {
    for (const id of this.#running.keys()) {
      this.#options.reply(id, [HEARD]).catch(() => undefined) // the answer itself fails as well
    }
  }

  async #answer(request: ToolboxRequest, signal: AbortSignal): Promise<void> {
    const send = (...lines: readonly ByteString[]) => this.#options.reply(request.id, lines)
    const write = async (text: ByteString) => {
      if (!signal.aborted) await send(...text.split('\n').map((line) => bytes`+${line}\n`))
    }
    try {
      await send(HEARD)
      const exitCode = await this.#whenItsTurn(async () => {
        signal.throwIfAborted()
        return await this.#serve(request, write, signal)
      })
      await send(encodeBytes(`=${exitCode}\n`))
    } catch (error) {
      if (signal.aborted) return // nobody waits any more
      await send(encodeBytes(`-${toLine(error)}\n`)).catch(() => undefined) // the job's end, or its engine's
    }
  }

  async #serve(
    request: ToolboxRequest,
    write: (text: ByteString) => Promise<void>,
    signal: AbortSignal,
  ): Promise<number> {
    const { files, cache, addSecret, waits, user } = this.#options
    if (request.command === 'mask') {
      for (const line of maskValues(request.args, addSecret)) await write(encodeBytes(line))
      return 0
    }
    if (request.command === 'checksum') {
      const [path = bytes``] = request.args
      await write(encodeBytes(await md5Of(files, absolutePath(request.directory, path), signal)))
      return 0
    }
    const { runCache } = await import('../cache/command.ts')
    return await runCache({ ...request, ...user, files, write, signal, waits, config: cache })
  }
}

/** @returns what is to be said of it */
function maskValues(values: readonly ByteString[], addSecret: AddSecret): string[] {
  const remarks = values.map((value, index) => {
    const which = values.length === 1 ? 'the value' : `value ${index + 1}`
    const problem = addSecret(bufferOf(value))
    return problem === undefined ? '' : `mask: ${which} ${problem}`
  })
  return remarks.filter((remark) => remark !== '')
}

/** To whom it was promised, when the one who did the work is gone. */
export const LOST_ANSWER: readonly ByteString[] = [
  bytes`-the agent lost its connection to the job while it answered. Try again.\n`,
]
