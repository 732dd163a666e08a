/**
 * The agent's own log in a file that does not grow for ever.
 *
 * @module
 */

import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  renameSync,
  type Stats,
  writeSync,
} from 'node:fs'
import { openOwnFile } from './private/open-own-file.ts'

const { O_APPEND, O_CREAT, O_WRONLY } = constants

/** A log that could not be written is tried again after this, in ms. */
const RETRY_MS = 10_000

/**
 * Appends entries; at `maxBytes` the file becomes `PATH.1`, and a new one is begun. Synchronous, so
 * that the last words before a crash are in it. A full disk is nobody's death: entries are lost
 * then, until there is room again.
 */
export class LogFile {
  readonly path: string
  readonly #maxBytes: number
  #descriptor: number | undefined
  #size = 0
  #retryAt = 0

  /** @throws {Error} when the file cannot be made or written, or is another user's */
  constructor(path: string, maxBytes: number) {
    this.path = path
    this.#maxBytes = maxBytes
    this.#open()
  }

  write(text: string): void {
    if (this.#descriptor === undefined && performance.now() < this.#retryAt) return
    try {
      const descriptor = this.#descriptor ?? this.#open()
      this.#size += writeSync(descriptor, text)
      if (this.#size >= this.#maxBytes) this.#rotate()
    } catch {
      // There is nowhere left to tell of it but the terminal, which has the entry itself.
      this.close()
      this.#retryAt = performance.now() + RETRY_MS
    }
  }

  /**
   * The file as long as it is now: it may well grow by this very request. What has come to stand
   * under its name meanwhile is not looked at.
   *
   * @returns undefined for what cannot be read again, as a device
   */
  read(): AsyncGenerator<Uint8Array, void, undefined> | undefined {
    const size = this.#descriptor === undefined ? undefined : sizeOf(fstatSync(this.#descriptor))
    return size === undefined ? undefined : this.#readTo(size)
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  async *#readTo(size: number): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#descriptor === undefined || size === 0) return
    // Opened once more, by what it is and not by its name: the other one may be closed meanwhile.
    const fd = openSync(`/proc/self/fd/${this.#descriptor}`, 'r')
    yield* createReadStream('', { fd, start: 0, end: size - 1 }) as AsyncIterable<Uint8Array>
  }

  /** What is no file (`/dev/null`, a pipe) stays; so does a link, and what others put in its place. */
  #rotate(): void {
    if (this.#descriptor === undefined) return
    const own = fstatSync(this.#descriptor)
    const named = lstatSync(this.path, { throwIfNoEntry: false })
    if (!own.isFile() || named?.isSymbolicLink() === true) return
    if (named?.ino === own.ino && named.dev === own.dev) moveAway(this.path, this.#descriptor)
    this.close()
    this.#open()
  }

  #open(): number {
    const descriptor = openOwnFile(this.path, O_WRONLY | O_APPEND | O_CREAT)
    this.#descriptor = descriptor
    this.#size = sizeOf(fstatSync(descriptor)) ?? 0
    return descriptor
  }
}

/** Rather without its past than without end, or without what is still to come. */
function moveAway(path: string, descriptor: number): void {
  try {
    renameSync(path, `${path}.1`)
  } catch {
    ftruncateSync(descriptor) // under the other name is a directory, or another user's file in /tmp
  }
}

function sizeOf(stats: Stats): number | undefined {
  return stats.isFile() ? stats.size : undefined
}
