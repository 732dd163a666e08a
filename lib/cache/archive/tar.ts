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
  | { readonly type: 'entry'; readonly entry: TarEntry }
  | { readonly type: 'data'; readonly bytes: Buffer }
  /** The current file has all its data. */
  | { readonly type: 'close' }

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

const NOTHING: Buffer = Buffer.alloc(0)

const MAX_NAME_BYTES = 100
const MAX_SIZE = 8 ** 11 - 1
const MAX_ID = 8 ** 7 - 1
/** Of names and their like in front of a header. */
const MAX_EXTENSION_BYTES = 1_048_576

/** What follows an entry's data, up to the next block. */
export function padding(size: number): Buffer {
  return END_OF_TAR.subarray(0, -size & (BLOCK_BYTES - 1))
}

export function encodeHeader(entry: TarEntry): Buffer {
  const name = entry.type === 'directory' ? `${entry.name}/` : entry.name
  let records = ''
  if (name.length > MAX_NAME_BYTES) records += paxRecord('path', name)
  if (entry.target.length > MAX_NAME_BYTES) records += paxRecord('linkpath', entry.target)
  if (entry.size > MAX_SIZE) records += paxRecord('size', String(entry.size))
  if (entry.uid > MAX_ID) records += paxRecord('uid', String(entry.uid))
  if (entry.gid > MAX_ID) records += paxRecord('gid', String(entry.gid))
  if (entry.mtime < 0 || entry.mtime > MAX_SIZE) records += paxRecord('mtime', String(entry.mtime))
  const header = encodeBlock({ ...entry, name }, FLAGS[entry.type])
  if (records === '') return header
  const content = Buffer.from(records, 'latin1')
  const extension = { ...entry, name: 'PaxHeader', target: '', size: content.length }
  return Buffer.concat([encodeBlock(extension, 'x'), content, padding(content.length), header])
}

function encodeBlock(entry: TarEntry, flag: string): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  block.write(entry.name.slice(0, MAX_NAME_BYTES), 0, 'latin1')
  block.write(octal(entry.mode & 0o7777, 7), 100, 'latin1')
  block.write(octal(entry.uid > MAX_ID ? 0 : entry.uid, 7), 108, 'latin1')
  block.write(octal(entry.gid > MAX_ID ? 0 : entry.gid, 7), 116, 'latin1')
  block.write(octal(entry.size > MAX_SIZE ? 0 : entry.size, 11), 124, 'latin1')
  block.write(octal(Math.min(Math.max(entry.mtime, 0), MAX_SIZE), 11), 136, 'latin1')
  block.write(flag, 156, 'latin1')
  block.write(entry.target.slice(0, MAX_NAME_BYTES), 157, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  block.write(`${octal(checksum(block), 6)}\0 `, 148, 'latin1')
  return block
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

/** The checksum's own field counts as eight spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 32
  for (let at = 0; at < BLOCK_BYTES; at++) {
    if (at < 148 || at >= 156) sum += block[at] ?? 0
  }
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
  #pax = new Map<string, string>()
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
    if (!(size <= MAX_EXTENSION_BYTES)) throw damaged('a name is too long')
    return BLOCK_BYTES + size + padding(size).length
  }

  *#take(bytes: Buffer): Generator<TarEvent, void> {
    if (this.#left > 0) {
      this.#left -= bytes.length
      yield { type: 'data', bytes }
      if (this.#left === 0) yield { type: 'close' }
    } else if (this.#skip > 0) {
      this.#skip -= bytes.length
    } else if (bytes[0] === 0 && bytes.every((byte) => byte === 0)) {
      this.#ended = true
    } else if (number(bytes, 148, 8) !== checksum(bytes)) {
      throw damaged('a header is not one')
    } else if (EXTENSIONS.includes(flagOf(bytes))) {
      const size = number(bytes, 124, 12)
      this.#extend(flagOf(bytes), bytes.toString('latin1', BLOCK_BYTES, BLOCK_BYTES + size))
    } else {
      const entry = this.#begin(bytes)
      yield { type: 'entry', entry }
      if (entry.type === 'file' && entry.size === 0) yield { type: 'close' }
    }
  }

  #extend(flag: string, content: string): void {
    if (flag === 'L') this.#pax.set('path', content.replace(/\0.*$/s, ''))
    if (flag === 'K') this.#pax.set('linkpath', content.replace(/\0.*$/s, ''))
    if (flag !== 'x') return
    for (let at = 0; at < content.length; ) {
      const length = Number.parseInt(content.slice(at), 10)
      const record = content.slice(content.indexOf(' ', at) + 1, at + length - 1)
      const equals = record.indexOf('=')
      if (!(length > 4) || equals === -1) throw damaged('an extended header is not one')
      this.#pax.set(record.slice(0, equals), record.slice(equals + 1))
      at += length
    }
  }

  #begin(block: Buffer): TarEntry {
    const pax = this.#pax
    this.#pax = new Map()
    const value = (key: string, at: number, length: number) =>
      Number(pax.get(key) ?? number(block, at, length))
    const name = pax.get('path') ?? shortName(block)
    const size = value('size', 124, 12)
    if (!Number.isSafeInteger(size) || size < 0) throw damaged('a size is none')
    const type = TYPES[flagOf(block)] ?? 'other'
    const entry: TarEntry = {
      name: name.length > 1 && name.endsWith('/') ? name.slice(0, -1) : name,
      type: type === 'file' && name.endsWith('/') ? 'directory' : type,
      mode: number(block, 100, 8) & 0o7777,
      uid: value('uid', 108, 8),
      gid: value('gid', 116, 8),
      size: type === 'file' ? size : 0,
      mtime: Math.floor(value('mtime', 136, 12)),
      target: isLink(type) ? (pax.get('linkpath') ?? text(block, 157, 100)) : '',
    }
    this.#left = entry.type === 'file' ? size : 0
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
  if (((block[at] ?? 0) & 0x80) !== 0) {
    let value = 0
    for (let index = at + 1; index < at + length; index++) value = value * 256 + (block[index] ?? 0)
    return value
  }
  return Number.parseInt(text(block, at, length).trim() || '0', 8)
}

function damaged(how: string): DamagedTarError {
  return new DamagedTarError(`The archive is damaged: ${how}`, {
    hint: 'Delete the key and store it again.',
  })
}
