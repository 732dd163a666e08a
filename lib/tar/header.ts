/**
 * The header of an archive's entry, and the blocks that hold it. Written and read by hand: names are
 * bytes, and a cache has to give back those that are not UTF-8: tar-stream writes every name as UTF-8 and reads extended headers
 * so, whatever `filenameEncoding` says, and so does npm's `tar`. Both also lose times after 2038 or
 * before 1970. Pure.
 *
 * @see POSIX, pax, "ustar Interchange Format" and "pax Extended Header"
 * @module
 */

import { type ByteString, bytes } from '../files/byte-string.ts'

export interface TarEntry {
  /** Without a slash at its end. */
  readonly name: ByteString
  /** `other`: devices and the like, which no cache keeps. */
  readonly type: 'directory' | 'file' | 'link' | 'other' | 'symlink'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes that follow. */
  readonly size: number
  /** Unix seconds, whole. */
  readonly mtime: number
  /** Of links; else empty. */
  readonly target: ByteString
}

export const BLOCK_BYTES = 512
export const END_OF_TAR = Buffer.alloc(2 * BLOCK_BYTES)

const FLAGS = { file: '0', link: '1', symlink: '2', directory: '5', other: '6' } as const

export const SPACE = 0x20
export const ZERO = 0x30

const MAX_NAME_BYTES = 100
/** Of the part of a long name that stands apart, up to a slash. */
const MAX_PREFIX_BYTES = 155
const MAX_SIZE = 8 ** 11 - 1
const MAX_ID = 8 ** 7 - 1

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
  const name = entry.type === 'directory' ? bytes`${entry.name}/` : entry.name
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
  const extension = { ...entry, name: bytes`PaxHeader`, target: bytes``, size: content.length }
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
export function checksum(block: Buffer): number {
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
