/**
 * The tar format, read as it comes, in pieces of any size. Pure.
 *
 * @see header.ts
 * @module
 */

import { CacheError } from '../errors.ts'
import { type ByteString, bytes, bytesOf } from '../files/byte-string.ts'
import { BLOCK_BYTES, checksum, padding, SPACE, type TarEntry, ZERO } from './header.ts'

export type TarEvent =
  /** `bytes` is its last block, without what extends it: the place of another header. */
  | { readonly type: 'entry'; readonly entry: TarEntry; readonly bytes: Buffer }
  | { readonly type: 'data'; readonly bytes: Buffer }
  /** The current file has all its data. */
  | { readonly type: 'close' }
  /** What follows a file's data, up to the next block. */
  | { readonly type: 'padding'; readonly bytes: Buffer }

/** What is read is no tar, or only a part of one. */
export class DamagedTarError extends CacheError {}

const TYPES: Readonly<Record<string, TarEntry['type']>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '5': 'directory',
  '7': 'file',
}

/** Of headers that say more about the next one: pax, and GNU's long names. */
const EXTENSIONS = 'xgLK'

/** What is used of a pax header. The rest may be anything, and as much as an archive's maker likes. */
const PAX_KEYS = new Set(['path', 'linkpath', 'size', 'uid', 'gid', 'mtime'])

/** GNU's way to leave out holes: without it, a file would come back as its parts, one after the other. */
const SPARSE_FLAG = 'S'
const SPARSE_KEY = 'GNU.sparse.'

const NO_NAME = bytes``
const NOTHING: Buffer = Buffer.alloc(0)
/** Of all that stands in front of a header: names and their like. */
const MAX_EXTENSION_BYTES = 1_048_576
/** In front of each record of a pax header. */
const MAX_LENGTH_DIGITS = 10
/** As long as the kernel takes them: what cannot be named cannot be unpacked. */
const MAX_PATH_BYTES = 4_096

export class TarReader {
  #held = NOTHING
  /** Bytes of the current file still to come. */
  #left = 0
  /** Then, bytes that mean nothing. */
  #skip = 0
  #isFile = false
  #pax = new Map<string, ByteString>()
  /** Of the headers that gave it. */
  #paxBytes = 0
  #ended = false

  /** @throws {DamagedTarError} when something is missing */
  end(): void {
    if (!this.#ended) throw damaged('it ends too early')
  }

  /** @throws {DamagedTarError} for what is no tar */
  *push(chunk: Uint8Array): Generator<TarEvent, void> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let rest = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    while (!this.#ended) {
      const used = this.#measure(rest)
      if (used === 0 || used > rest.length) break
      yield* this.#take(rest.subarray(0, used))
      rest = rest.subarray(used)
    }
    // A copy: the chunk belongs to whoever gave it.
    this.#held = this.#ended || rest.length === 0 ? NOTHING : Buffer.from(rest)
  }

  /** @returns how many bytes the next step takes, which may be more than there are */
  #measure(rest: Buffer): number {
    if (this.#left > 0) return Math.min(this.#left, rest.length)
    if (this.#skip > 0) return Math.min(this.#skip, rest.length)
    if (rest.length < BLOCK_BYTES || !EXTENSIONS.includes(flagOf(rest))) return BLOCK_BYTES
    const size = number(rest, 124, 12)
    if (!(this.#paxBytes + size <= MAX_EXTENSION_BYTES)) throw damaged('a name is too long')
    return BLOCK_BYTES + size + padding(size).length
  }

  *#take(bytes: Buffer): Generator<TarEvent, void> {
    if (this.#left > 0) {
      this.#left -= bytes.length
      yield { type: 'data', bytes }
      if (this.#left === 0) yield { type: 'close' }
    } else if (this.#skip > 0) {
      this.#skip -= bytes.length
      if (this.#isFile) yield { type: 'padding', bytes }
    } else if (bytes[0] === 0 && bytes.every((byte) => byte === 0)) {
      this.#ended = true
    } else if (number(bytes, 148, 8) !== checksum(bytes)) {
      throw damaged('a header is invalid')
    } else if (EXTENSIONS.includes(flagOf(bytes))) {
      const size = number(bytes, 124, 12)
      this.#paxBytes += bytes.length
      this.#extend(flagOf(bytes), bytesOf(bytes, BLOCK_BYTES, BLOCK_BYTES + size))
    } else {
      const entry = this.#begin(bytes)
      yield { type: 'entry', entry, bytes }
      if (entry.type === 'file' && entry.size === 0) yield { type: 'close' }
    }
  }

  #extend(flag: string, content: ByteString): void {
    if (flag === 'L') this.#pax.set('path', untilNul(content))
    if (flag === 'K') this.#pax.set('linkpath', untilNul(content))
    if (flag !== 'x') return
    for (let at = 0; at < content.length; ) {
      const digits = /^\d+(?= )/.exec(content.slice(at, at + MAX_LENGTH_DIGITS))?.[0] ?? ''
      const end = at + Number(digits)
      const record = content.slice(at + digits.length + 1, end - 1)
      const equals = record.indexOf('=')
      if (equals < 1 || end > content.length) throw damaged('an extended header is invalid')
      const key = record.slice(0, equals)
      if (key.startsWith(SPARSE_KEY)) throw sparse()
      if (PAX_KEYS.has(key)) this.#pax.set(key, record.slice(equals + 1))
      at = end
    }
  }

  #begin(block: Buffer): TarEntry {
    const pax = this.#pax
    this.#pax = new Map()
    this.#paxBytes = 0
    if (flagOf(block) === SPARSE_FLAG) throw sparse()
    const value = (key: string, at: number, length: number) =>
      Number(pax.get(key) ?? number(block, at, length))
    const name = pax.get('path') ?? shortName(block)
    const size = value('size', 124, 12)
    if (!Number.isSafeInteger(size) || size < 0) throw damaged('a size is invalid')
    const kind = TYPES[flagOf(block)] ?? 'other'
    const type = kind === 'file' && name.endsWith('/') ? 'directory' : kind
    const entry: TarEntry = {
      name: name.length > 1 && name.endsWith('/') ? name.slice(0, -1) : name,
      type,
      mode: number(block, 100, 8) & 0o7777,
      uid: value('uid', 108, 8),
      gid: value('gid', 116, 8),
      size: type === 'file' ? size : 0,
      mtime: Math.floor(value('mtime', 136, 12)),
      target: isLink(type) ? (pax.get('linkpath') ?? text(block, 157, 100)) : NO_NAME,
    }
    if (Math.max(name.length, entry.target.length) > MAX_PATH_BYTES)
      throw damaged('a name is too long')
    this.#isFile = type === 'file'
    this.#left = entry.size
    this.#skip = padding(size).length + (type === 'other' ? size : 0)
    return entry
  }
}

function untilNul(content: ByteString): ByteString {
  const end = content.indexOf('\0')
  return end === -1 ? content : content.slice(0, end)
}

function isLink(type: TarEntry['type']): boolean {
  return type === 'link' || type === 'symlink'
}

function flagOf(block: Buffer): string {
  return String.fromCharCode(block[156] ?? 0)
}

function shortName(block: Buffer): ByteString {
  const name = text(block, 0, 100)
  const prefix = bytesOf(block, 257, 263) === 'ustar\0' ? text(block, 345, 155) : NO_NAME
  return prefix === '' ? name : bytes`${prefix}/${name}`
}

function text(block: Buffer, at: number, length: number): ByteString {
  const end = block.indexOf(0, at)
  return bytesOf(block, at, end === -1 ? at + length : Math.min(end, at + length))
}

/** Octal digits, or base 256 where the first bit is set. */
function number(block: Buffer, at: number, length: number): number {
  let value = 0
  if (((block[at] ?? 0) & 0x80) !== 0) {
    for (let index = at + 1; index < at + length; index++) value = value * 256 + (block[index] ?? 0)
    return value
  }
  let index = at
  while (index < at + length && block[index] === SPACE) index++
  for (; index < at + length; index++) {
    const byte = block[index] ?? 0
    if (byte === 0 || byte === SPACE) break
    if (byte < ZERO || byte > ZERO + 7) return Number.NaN
    value = value * 8 + byte - ZERO
  }
  return value
}

function sparse(): DamagedTarError {
  return new DamagedTarError('The archive contains a sparse file in the format of GNU tar', {
    hint: 'Create it without --sparse, or store it with the cache command.',
  })
}

function damaged(how: string): DamagedTarError {
  return new DamagedTarError(`The archive is damaged: ${how}`, {
    hint: 'Delete the key and store it again.',
  })
}
