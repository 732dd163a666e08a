/**
 * Answers what a job's programs ask, many at once, each in its own time.
 *
 * @module
 */

import { absolutePath, type FileOwner, type JobFiles, md5Of, toLatin1 } from '../cache/job-files.ts'
import type { CachePlace } from '../cache/open-store.ts'
import { toLine } from '../errors.ts'
import { RequestReader, type ToolboxRequest } from './request.ts'

export interface DeskOptions {
  readonly files: JobFiles
  readonly cache: CachePlace
  /** In whose name everybody asks; absent = as each says. */
  readonly user?: FileOwner | undefined
  /**
   * Puts lines (latin1, each with its newline) at the end of what the asker of that id reads. The
   * ids are numbers and a dash: safe as names of files.
   */
  readonly reply: (id: string, lines: readonly string[]) => Promise<void>
}

/** An asker learns by this that somebody listens: what follows may take its time. */
const HEARD = '!\n'

/** For what is under way to clear up behind it; a store on the network may never answer. */
const CLOSE_LIMIT_MS = 2_000

export class Desk {
  readonly #options: DeskOptions
  readonly #reader = new RequestReader()
  readonly #running = new Map<string, AbortController>()
  readonly #answers = new Set<Promise<void>>()
  /** Of all requests so far: one that was not heard at once comes again. */
  readonly #seen = new Set<string>()
  readonly #closed = new AbortController()

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /** Bytes that the job's programs have written. */
  push(chunk: Uint8Array): void {
    if (this.#closed.signal.aborted) return
    for (const message of this.#reader.push(chunk)) {
      if (message.type === 'cancel') this.#running.get(message.id)?.abort()
      else if (!this.#seen.has(message.request.id)) this.#begin(message.request)
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
    const { promise, resolve } = Promise.withResolvers<void>()
    const limit = setTimeout(resolve, CLOSE_LIMIT_MS)
    await Promise.race([Promise.all(this.#answers), promise])
    clearTimeout(limit)
    return abandoned
  }

  #begin(request: ToolboxRequest): void {
    const cancel = new AbortController()
    this.#seen.add(request.id)
    this.#running.set(request.id, cancel)
    const signal = AbortSignal.any([cancel.signal, this.#closed.signal])
    const answer = this.#answer(request, signal).finally(() => {
      this.#running.delete(request.id)
      this.#answers.delete(answer)
    })
    this.#answers.add(answer)
  }

  async #answer(request: ToolboxRequest, signal: AbortSignal): Promise<void> {
    const send = (...lines: readonly string[]) => this.#options.reply(request.id, lines)
    const say = async (text: string) => {
      if (!signal.aborted) await send(...text.split('\n').map((line) => `+${line}\n`))
    }
    try {
      await send(HEARD)
      const exitCode = await this.#serve(request, say, signal)
      await send(`=${exitCode}\n`)
    } catch (error) {
      if (signal.aborted) return // nobody waits any more
      await send(`-${toLatin1(toLine(error))}\n`).catch(() => undefined) // the job's end, or its engine's
    }
  }

  async #serve(
    request: ToolboxRequest,
    say: (text: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<number> {
    const { files, cache, user } = this.#options
    if (request.command === 'checksum') {
      await say(await md5Of(files, absolutePath(request.directory, request.args[0] ?? ''), signal))
      return 0
    }
    const { runCache } = await import('../cache/command.ts')
    return await runCache({ ...request, ...user, files, say, signal, place: cache })
  }
}

/** To whom it was promised, when the one who did the work is gone. */
export const LOST_ANSWER: readonly string[] = [
  '-the agent was cut off from this job in the middle of it. Try again.\n',
]
