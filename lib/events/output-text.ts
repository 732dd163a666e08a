/**
 * A terminal's bytes as the text of the log (see lib/events/README.md). Pure and incremental: the
 * result does not depend on how the bytes were cut.
 *
 * @module
 */

import { isUtf8 } from 'node:buffer'

const CR = 0x0d
const REPLACEMENT = '\ufffd'

/**
 * Drops each `\r` directly before a `\n`, turns each byte that is not part of valid UTF-8 into one
 * U+FFFD, and never cuts a character in two.
 */
export class OutputText {
  /** The beginning of a character, or a `\r` that may prove to stand before a `\n`. */
  #held: Buffer = Buffer.alloc(0)

  /** @returns the text that is certain so far */
  push(chunk: Uint8Array): string {
    const bytes =
      this.#held.length === 0
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
        : Buffer.concat([this.#held, chunk])
    const end = bytes.length - openLength(bytes)
    this.#held = Buffer.from(bytes.subarray(end)) // a copy: the chunk may be reused
    return toText(bytes.subarray(0, end))
  }

  /** The rest, when nothing more will come. */
  end(): string {
    const rest = this.#held
    this.#held = Buffer.alloc(0)
    return toText(rest)
  }
}

/** How many bytes at the end wait for what follows them. */
function openLength(bytes: Buffer): number {
  if (bytes.at(-1) === CR) return 1
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return isOpen(bytes.subarray(bytes.length - back)) ? back : 0
  }
  return 0
}

/** Whether these bytes begin a character and are too few for it. */
function isOpen(bytes: Buffer): boolean {
  const length = sequenceLength(bytes[0] ?? 0)
  return bytes.length < length && isPrefix(bytes)
}

function toText(bytes: Buffer): string {
  const text = isUtf8(bytes) ? bytes.toString('utf8') : repair(bytes)
  return text.includes('\r') ? text.replaceAll('\r\n', '\n') : text
}

/** Byte by byte, as only the rare output needs it. */
function repair(bytes: Buffer): string {
  const parts: string[] = []
  let valid = 0
  let at = 0
  while (at < bytes.length) {
    const length = sequenceLength(bytes[at] ?? 0)
    const sequence = bytes.subarray(at, at + length)
    if (length > 0 && sequence.length === length && isPrefix(sequence)) {
      at += length
      continue
    }
    parts.push(bytes.toString('utf8', valid, at), REPLACEMENT)
    at += 1
    valid = at
  }
  parts.push(bytes.toString('utf8', valid, at))
  return parts.join('')
}

/** Bytes in the character this byte begins; 0 when it begins none. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1
  if (first < 0xc2) return 0
  if (first < 0xe0) return 2
  if (first < 0xf0) return 3
  return first < 0xf5 ? 4 : 0
}

/** Whether these bytes are a character or the beginning of one. @see Unicode 16, table 3-7 */
function isPrefix(bytes: Buffer): boolean {
  const [first = 0, second] = bytes
  if (second === undefined) return true
  const [low, high] = secondByteRange(first)
  if (second < low || second > high) return false
  return bytes.subarray(2).every((byte) => byte >= 0x80 && byte <= 0xbf)
}

function secondByteRange(first: number): readonly [number, number] {
  if (first === 0xe0) return [0xa0, 0xbf]
  if (first === 0xed) return [0x80, 0x9f]
  if (first === 0xf0) return [0x90, 0xbf]
  if (first === 0xf4) return [0x80, 0x8f]
  return [0x80, 0xbf]
}
