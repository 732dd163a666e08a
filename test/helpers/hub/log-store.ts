/**
 * The log of one job as its server keeps it: a list of lines that each request cuts to its
 * `start_from` and appends to. In a file, since logs of a gigabyte are pushed too.
 */

import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const NEWLINE = 0x0a

export class LogStore {
  readonly path: string
  readonly #fd: number
  /** Where each line ends. */
  readonly #ends: number[] = []

  constructor(directory: string, id: string) {
    this.path = join(directory, `${encodeURIComponent(id)}.log`)
    this.#fd = openSync(this.path, 'w+', 0o600)
  }

  get lineCount(): number {
    return this.#ends.length
  }

  get size(): number {
    return this.#ends.at(-1) ?? 0
  }

  /** All of it. */
  get bytes(): Buffer {
    return readFileSync(this.path).subarray(0, this.size)
  }

  get text(): string {
    return this.bytes.toString()
  }

  sizeOf(lines: number): number {
    return lines === 0 ? 0 : (this.#ends[Math.min(lines, this.#ends.length) - 1] ?? 0)
  }

  /** @returns whether lines are missing now; the server does not notice */
  append(from: number, bytes: Buffer): boolean {
    const hasGap = from > this.#ends.length
    this.#ends.length = Math.min(from, this.#ends.length)
    const start = this.size
    ftruncateSync(this.#fd, start)
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(this.#fd, bytes, written, bytes.length - written, start + written)
    }
    let end = bytes.indexOf(NEWLINE)
    for (; end !== -1; end = bytes.indexOf(NEWLINE, end + 1)) this.#ends.push(start + end + 1)
    return hasGap
  }

  close(): void {
    closeSync(this.#fd)
  }
}

export function countLines(bytes: Buffer): number {
  let count = 0
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, end + 1)) count++
  return count
}
