/**
 * The agent's own log in a file that does not grow for ever.
 *
 * @module
 */

import { closeSync, constants, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants

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

  /** @throws {Error} of the file system when the file cannot be made or written */
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

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #rotate(): void {
    this.close()
    renameSync(this.path, `${this.path}.1`)
    this.#open()
  }

  /** Never through a link: in /tmp another user may have put one there. */
  #open(): number {
    const descriptor = openSync(this.path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600)
    this.#descriptor = descriptor
    this.#size = fstatSync(descriptor).size
    return descriptor
  }
}
