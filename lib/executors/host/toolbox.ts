/**
 * The toolbox of a job on this host: its files, and the file by which its programs ask the agent.
 *
 * That is a plain file to which they append, and which the kernel watches for the agent: a FIFO
 * would do the same, but only a program of its own can make one, and starting it takes a quarter of
 * the time a whole job takes.
 *
 * @module
 */

import {
  closeSync,
  existsSync,
  type FSWatcher,
  mkdirSync,
  openSync,
  readSync,
  unwatchFile,
  watch,
  watchFile,
  writeFileSync,
} from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { LineReader } from '../../toolbox/lines.ts'
import { ToolboxServer } from '../../toolbox/server.ts'
import { toolboxFiles } from '../../toolbox/toolbox-files.ts'
import type { SharedOptions } from '../kind.ts'
import { HostFiles } from './job-files.ts'

type ToolboxOptions = Pick<SharedOptions, 'addSecret' | 'cache' | 'waits'>

/** Where the kernel has no more watches to give. */
const POLL_MS = 100

/** In one turn of the event loop: a job may write gigabytes here. */
const READ_BYTES = 65_536

export class HostToolbox {
  /** Whether the files of one are still there, judged by the last one that was made. */
  static isWhole(directory: string): boolean {
    return existsSync(requestsIn(directory))
  }

  readonly #server: ToolboxServer
  readonly #lines = new LineReader()
  readonly #requests: string
  readonly #fd: number
  readonly #watcher: FSWatcher | undefined
  #reading: NodeJS.Immediate | undefined
  #closed = false

  /**
   * Takes less than a millisecond, which is why it does not yield: a job waits for it.
   *
   * @param directory made here, in one that only the job's user may enter
   */
  constructor(directory: string, { cache, addSecret, waits }: ToolboxOptions) {
    mkdirSync(directory, { mode: 0o755 })
    for (const { name, content, mode } of toolboxFiles(directory)) {
      if (content === undefined) mkdirSync(`${directory}/${name}`, { mode })
      else writeFileSync(`${directory}/${name}`, content, { mode })
    }
    this.#requests = requestsIn(directory)
    writeFileSync(this.#requests, '', { mode: 0o600 })
    this.#fd = openSync(this.#requests, 'r')
    this.#server = new ToolboxServer({
      files: new HostFiles(),
      cache,
      addSecret,
      waits,
      reply: async (id, lines) => {
        await appendFile(`${directory}/replies/${id}`, lines.join(''), { encoding: 'latin1' })
      },
    })
    this.#watcher = this.#watch()
  }

  /** Abandons what is under way. Safe to call twice. */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      this.#watcher?.close()
      unwatchFile(this.#requests, this.#read)
      closeSync(this.#fd)
    }
    await this.#server.close()
  }

  #watch(): FSWatcher | undefined {
    try {
      const watcher = watch(this.#requests, { persistent: false }, this.#read)
      watcher.on('error', () => undefined) // it is gone together with the job's directory
      return watcher
    } catch {
      watchFile(this.#requests, { persistent: false, interval: POLL_MS }, this.#read)
      return undefined
    }
  }

  readonly #read = (): void => {
    if (this.#closed || this.#reading !== undefined) return
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    const got = readSync(this.#fd, buffer, 0, buffer.length, null)
    for (const line of this.#lines.push(buffer.subarray(0, got))) this.#server.take(line)
    if (got === 0) return
    this.#reading = setImmediate(() => {
      this.#reading = undefined
      this.#read()
    })
  }
}

function requestsIn(directory: string): string {
  return `${directory}/requests`
}
