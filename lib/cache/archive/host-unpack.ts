/**
 * Takes a tar apart onto this host.
 *
 * Directories get their modes and times last: a read-only one could not be filled, and filling one
 * changes its time.
 *
 * @module
 */

import {
  chmodSync,
  closeSync,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  write,
  writeSync,
} from 'node:fs'
import { promisify } from 'node:util'
import { CacheError } from '../../errors.ts'
import { type ByteString, bufferOf, bytes } from '../../files/byte-string.ts'
import { makeDirectorySync } from '../../files/make-directory.ts'
import type { TarEntry } from '../../tar/header.ts'
import { type TarEvent, TarReader } from '../../tar/reader.ts'
import { absolutePath, type FileOwner, inTheWay, type UnpackOptions } from '../job-files.ts'
import { PathGuard } from './path-guard.ts'

/** Below this a write to the page cache is quicker than a hop to the thread pool. */
const SMALL_WRITE_BYTES = 65_536

/** What is nothing but zeros is left out of the file: so one with holes keeps them. */
const HOLE_BYTES = 65_536
const ZEROS = Buffer.alloc(1_048_576)

const writeLarge = promisify(write)

/**
 * Owners count only for root: nobody else may give files away.
 *
 * @returns name of the outermost entry
 */
export async function unpackToHost(
  tar: AsyncIterable<Uint8Array>,
  { directory, owner, signal }: UnpackOptions,
): Promise<ByteString> {
  const reader = new TarReader()
  const writer = new HostWriter(directory, owner)
  try {
    for await (const chunk of tar) {
      signal.throwIfAborted()
      for (const event of reader.push(chunk)) {
        const wait = writer.take(event)
        if (wait !== undefined) await wait
      }
    }
    reader.end()
    writer.finish()
    return writer.root
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof CacheError ? error : failure(error)
  } finally {
    writer.close()
  }
}

class HostWriter {
  readonly #directory: ByteString
  readonly #owner: FileOwner | undefined
  readonly #guard = new PathGuard()
  readonly #directories: Array<readonly [path: Buffer, entry: TarEntry]> = []
  readonly #user = process.geteuid?.()
  #file: { readonly fd: number; readonly entry: TarEntry; position: number } | undefined

  constructor(directory: ByteString, owner: FileOwner | undefined) {
    this.#directory = directory
    this.#owner = owner
  }

  get root(): ByteString {
    return this.#guard.root ?? bytes``
  }

  /** @returns a promise only when it takes time */
  take(event: TarEvent): Promise<void> | undefined {
    if (event.type === 'entry') this.#begin(event.entry)
    else if (event.type === 'close') this.#endFile()
    else return this.#write(event.bytes)
    return undefined
  }

  /** Innermost first, so that no time is changed again. */
  finish(): void {
    for (const [path, entry] of this.#directories.reverse()) {
      this.#give(entry, (uid, gid) => lchownSync(path, uid, gid))
      chmodSync(path, entry.mode)
      utimesSync(path, ...timesOf(entry))
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file.fd)
    this.#file = undefined
  }

  #begin(entry: TarEntry): void {
    const first = this.#guard.root === undefined
    this.#guard.admit(entry)
    const path = this.#path(entry.name)
    if (first) makeDirectorySync(this.#path(parentOf(entry.name)))
    switch (entry.type) {
      case 'directory':
        if (this.#makeDirectory(path)) this.#directories.push([path, entry])
        return
      case 'file':
        this.#file = {
          fd: this.#create(path, () => openSync(path, 'wx', 0o600)),
          entry,
          position: 0,
        }
        return
      case 'symlink':
        this.#create(path, () => symlinkSync(bufferOf(entry.target), path))
        this.#give(entry, (uid, gid) => lchownSync(path, uid, gid))
        lutimesSync(path, ...timesOf(entry))
        return
      case 'link':
        this.#create(path, () => linkSync(this.#path(entry.target), path))
        return
      case 'other':
        return
    }
  }

  #write(bytes: Buffer): Promise<void> | undefined {
    const file = this.#file
    if (file === undefined) return undefined
    if (isHole(bytes)) file.position += bytes.length
    else if (bytes.length >= SMALL_WRITE_BYTES) return this.#writeLarge(bytes, file)
    else {
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(file.fd, bytes, at, bytes.length - at, file.position + at)
      }
      file.position += bytes.length
    }
    return undefined
  }

  async #writeLarge(bytes: Buffer, file: { fd: number; position: number }): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await writeLarge(
        file.fd,
        bytes,
        at,
        bytes.length - at,
        file.position + at,
      )
      at += bytesWritten
    }
    file.position += bytes.length
  }

  #endFile(): void {
    if (this.#file === undefined) return
    const { fd, entry } = this.#file
    if (entry.size >= HOLE_BYTES) ftruncateSync(fd, entry.size) // it may end with a hole
    this.#give(entry, (uid, gid) => fchownSync(fd, uid, gid)) // before the mode: it clears set-uid
    fchmodSync(fd, entry.mode)
    futimesSync(fd, ...timesOf(entry))
    this.close()
  }

  /** @returns whether its mode and times can be set: somebody else's keeps those it has */
  #makeDirectory(path: Buffer): boolean {
    try {
      mkdirSync(path, 0o700)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const stats = lstatSync(path)
    if (!stats.isDirectory()) throw inTheWay(path.toString(), 'not a directory', 'a directory')
    const isOurs = this.#user === 0 || this.#user === stats.uid
    if (isOurs) chmodSync(path, stats.mode | 0o700)
    return isOurs
  }

  /** A file or link that stands there goes, but only where it stands: links are not followed. */
  #create<T>(path: Buffer, make: () => T): T {
    try {
      return make()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const stats = lstatSync(path)
      if (stats.isDirectory()) throw inTheWay(path.toString(), 'a directory', 'not')
      if (!stats.isFile() && !stats.isSymbolicLink()) {
        throw inTheWay(path.toString(), 'neither a file nor a link', 'one of them')
      }
      unlinkSync(path)
      return make()
    }
  }

  #give(entry: TarEntry, change: (uid: number, gid: number) => void): void {
    if (this.#user !== 0) return
    const { uid, gid } = this.#owner ?? entry
    change(uid, gid)
  }

  #path(name: ByteString): Buffer {
    return bufferOf(absolutePath(this.#directory, name))
  }
}

/** As dates: Node takes a negative number for "now". */
function timesOf({ mtime }: TarEntry): [Date, Date] {
  const date = new Date(mtime * 1_000)
  return [date, date]
}

function isHole(bytes: Buffer): boolean {
  return bytes.length >= HOLE_BYTES && bytes.equals(ZEROS.subarray(0, bytes.length))
}

function parentOf(name: ByteString): ByteString {
  const at = name.lastIndexOf('/')
  if (at === -1) return bytes`.`
  return at === 0 ? bytes`/` : name.slice(0, at)
}

function failure(cause: unknown): CacheError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new CacheError(`The archive cannot be unpacked: ${reason}`, {
    hint: 'Check that the directory is writable and that its disk has space.',
    cause,
  })
}
