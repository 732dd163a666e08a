/**
 * The tar format, written and read by hand. Names are bytes (latin1 here), and a cache has to give
 * back those that are not UTF-8: tar-stream writes every name as UTF-8 and reads extended headers
 * so, whatever `filenameEncoding` says, and so does npm's `tar`. Both also lose times after 2038 or
 * before 1970. Pure.
 *
 * @see POSIX, pax, "ustar Interchange Format" and "pax Extended Header"
 * @module
 */

import { CacheError } from '../../errors.ts'

export interface TarEntry {
  /** latin1, without a slash at its end. */
  readonly name: string
  /** `other`: devices and the like, which no cache keeps. */
  readonly type: 'directory' | 'file' | 'link' | 'other' | 'symlink'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes that follow. */
  readonly size: number
  /** Unix seconds, whole. */
  readonly mtime: number
  /** Of links, latin1; else empty. */
  readonly target: string
}

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

export const BLOCK_BYTES = 512
export const END_OF_TAR = Buffer.alloc(2 * BLOCK_BYTES)

const FLAGS = { file: '0', link: '1', symlink: '2', directory: '5', other: '6' } as const
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

const NOTHING: Buffer = Buffer.alloc(0)
const SPACE = 0x20
const ZERO = 0x30

const MAX_NAME_BYTES = 100
/** Of the part of a long name that stands apart, up to a slash. */
const MAX_PREFIX_BYTES = 155
const MAX_SIZE = 8 ** 11 - 1
const MAX_ID = 8 ** 7 - 1
/** Of all that stands in front of a header: names and their like. */
const MAX_EXTENSION_BYTES = 1_048_576
/** In front of each record of a pax header. */
const MAX_LENGTH_DIGITS = 10
/** As long as the kernel takes them: what cannot be named cannot be unpacked. */
const MAX_PATH_BYTES = 4_096

/** What follows an entry's data, up to the next block. */
export function padding(size: number): Buffer {
  return END_OF_TAR.subarray(0, -size & (BLOCK_BYTES - 1))
}

/**
 * What one block cannot hold stands in front of it: then the header is longer.
 *
 * @param block to be filled with the header, or with its end
 */
export function encodeHeader(entry: TarEntry, block: Buffer = Buffer.alloc(BLOCK_BYTES)): Buffer {
  const name = entry.type === 'directory' ? `${entry.name}/` : entry.name
  let records = ''
  if (cutOf(name) === undefined) records += paxRecord('path', name)
  if (entry.target.length > MAX_NAME_BYTES) records += paxRecord('linkpath', entry.target)
  if (entry.size > MAX_SIZE) records += paxRecord('size', String(entry.size))
  if (entry.uid > MAX_ID) records += paxRecord('uid', String(entry.uid))
  if (entry.gid > MAX_ID) records += paxRecord('gid', String(entry.gid))
  if (entry.mtime < 0 || entry.mtime > MAX_SIZE) records += paxRecord('mtime', String(entry.mtime))
  encodeBlock(block, { ...entry, name }, FLAGS[entry.type])
  if (records === '') return block
  const content = Buffer.from(records, 'latin1')
  const extension = { ...entry, name: 'PaxHeader', target: '', size: content.length }
  const first = encodeBlock(Buffer.alloc(BLOCK_BYTES), extension, 'x')
  return Buffer.concat([first, content, padding(content.length), block])
}

function encodeBlock(block: Buffer, entry: TarEntry, flag: string): Buffer {
  const cut = cutOf(entry.name) ?? 0
  block.fill(0)
  block.write(cut === 0 ? entry.name : entry.name.slice(cut + 1), 0, MAX_NAME_BYTES, 'latin1')
  putOctal(block, 100, 7, entry.mode & 0o7777)
  putOctal(block, 108, 7, entry.uid > MAX_ID ? 0 : entry.uid)
  putOctal(block, 116, 7, entry.gid > MAX_ID ? 0 : entry.gid)
  putOctal(block, 124, 11, entry.size > MAX_SIZE ? 0 : entry.size)
  putOctal(block, 136, 11, Math.min(Math.max(entry.mtime, 0), MAX_SIZE))
  block.write(flag, 156, 'latin1')
  block.write(entry.target, 157, MAX_NAME_BYTES, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  block.write(entry.name.slice(0, cut), 345, 'latin1')
  putOctal(block, 148, 6, checksum(block))
  block[155] = SPACE
  return block
}

/** @returns where a header cuts a name in two: 0 = nowhere; undefined = it is too long for that */
function cutOf(name: string): number | undefined {
  if (name.length <= MAX_NAME_BYTES) return 0
  const cut = name.lastIndexOf('/', Math.min(MAX_PREFIX_BYTES, name.length - 2))
  return cut > 0 && name.length - cut - 1 <= MAX_NAME_BYTES ? cut : undefined
}

/** By hand: as text, the numbers of a header take most of the time of making one. */
function putOctal(block: Buffer, at: number, digits: number, value: number): void {
  let left = value
  for (let index = at + digits - 1; index >= at; index--) {
    block[index] = ZERO + (left % 8)
    left = Math.floor(left / 8)
  }
}

/** The checksum's own field counts as eight spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * SPACE
  for (let at = 0; at < BLOCK_BYTES; at++) sum += block[at] ?? 0
  for (let at = 148; at < 156; at++) sum -= block[at] ?? 0
  return sum
}

/** Its length, in its own text, counts that text too. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length
  }
  return `${length}${rest}`
}

export class TarReader {
  #held = NOTHING
  /** Bytes of the current file still to come. */
  #left = 0
  /** Then, bytes that mean nothing. */
  #skip = 0
  #isFile = false
  #pax = new Map<string, string>()
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
      throw damaged('a header is not one')
    } else if (EXTENSIONS.includes(flagOf(bytes))) {
      const size = number(bytes, 124, 12)
      this.#paxBytes += bytes.length
      this.#extend(flagOf(bytes), bytes.toString('latin1', BLOCK_BYTES, BLOCK_BYTES + size))
    } else {
      const entry = this.#begin(bytes)
      yield { type: 'entry', entry, bytes }
      if (entry.type === 'file' && entry.size === 0) yield { type: 'close' }
    }
  }

  #extend(flag: string, content: string): void {
    if (flag === 'L') this.#pax.set('path', content.replace(/\0.*$/s, ''))
    if (flag === 'K') this.#pax.set('linkpath', content.replace(/\0.*$/s, ''))
    if (flag !== 'x') return
    for (let at = 0; at < content.length; ) {
      const digits = /^\d+(?= )/.exec(content.slice(at, at + MAX_LENGTH_DIGITS))?.[0] ?? ''
      const end = at + Number(digits)
      const record = content.slice(at + digits.length + 1, end - 1)
      const equals = record.indexOf('=')
      if (equals < 1 || end > content.length) throw damaged('an extended header is not one')
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
    if (!Number.isSafeInteger(size) || size < 0) throw damaged('a size is none')
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
      target: isLink(type) ? (pax.get('linkpath') ?? text(block, 157, 100)) : '',
    }
    if (Math.max(name.length, entry.target.length) > MAX_PATH_BYTES)
      throw damaged('a name is too long')
    this.#isFile = type === 'file'
    this.#left = entry.size
    this.#skip = padding(size).length + (type === 'other' ? size : 0)
    return entry
  }
}

function isLink(type: TarEntry['type']): boolean {
  return type === 'link' || type === 'symlink'
}

function flagOf(block: Buffer): string {
  return String.fromCharCode(block[156] ?? 0)
}

function shortName(block: Buffer): string {
  const name = text(block, 0, 100)
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? text(block, 345, 155) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

function text(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at)
  return block.toString('latin1', at, end === -1 ? at + length : Math.min(end, at + length))
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
  return new DamagedTarError('The archive has a file with holes in the format of GNU tar', {
    hint: 'Make it without the option --sparse, or store it with the command cache.',
  })
}

function damaged(how: string): DamagedTarError {
  return new DamagedTarError(`The archive is damaged: ${how}`, {
    hint: 'Delete the key and store it again.',
  })
}
