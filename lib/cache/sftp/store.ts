/**
 * The cache in a user's directory on an SFTP server: one file for each key, named like it.
 *
 * A file appears by a rename that never replaces another. Its modification time says when it was
 * stored, its access time when it was last used; that one is set by hand, for most file systems
 * are mounted so that they do not keep it.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { Deadline } from '../../async/abort.ts'
import { CacheError } from '../../errors.ts'
import type { CacheStore, StoredKey, Usage } from '../store.ts'
import { WatchedArchive } from '../watched-archive.ts'
import { diskFull, incomplete, isStatus, STATUS, toCacheError } from './error.ts'
import { SftpLink } from './link.ts'
import { readBlocks, writeBlocks } from './pipelining.ts'
import type { SftpSettings } from './settings.ts'

interface RemoteFile extends StoredKey {
  readonly name: string
  readonly usedAt: number
}

const MAX_NAME_BYTES = 255

const TEMPORARY = /^\.[0-9a-f]{24}\.part$/

/** A store that has written nothing for this long was killed. */
const ABANDONED_MS = 3_600_000

/** Keys are removed from a full disk until this much is free: more than is ever on its way. */
const ROOM_BYTES = 8 * 1_048_576

/** The job may be over, and what it began still has to be removed. */
const CLEAN_UP_LIMIT_MS = 10_000

export class SftpStore implements CacheStore {
  readonly #settings: SftpSettings
  readonly #link: SftpLink
  /** Who makes room waits for who does so already. */
  #room: Promise<boolean | undefined> = Promise.resolve(true)

  constructor(settings: SftpSettings) {
    this.#settings = settings
    this.#link = new SftpLink(settings)
  }

  async list(signal: AbortSignal): Promise<readonly StoredKey[]> {
    const files = await this.#guard('list its files', signal, () => this.#files(signal))
    return files
      .map(({ key, bytes, storedAt }) => ({ key, bytes, storedAt }))
      .sort((a, b) => b.storedAt - a.storedAt)
  }

  async has(key: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#stat(key, signal)) !== undefined
  }

  async store(
    key: string,
    archive: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const name = fileName(key)
    const temporary = `.${randomBytes(12).toString('hex')}.part`
    const watched = new WatchedArchive(archive)
    try {
      const bytes = await this.#upload(temporary, key, watched, signal)
      const isOurs = await this.#publish(temporary, name, bytes, signal)
      if (isOurs) await this.#keepWithinLimit(name, signal)
      else await this.#discard(temporary)
      return isOurs ? bytes : undefined
    } catch (error) {
      await this.#discard(temporary)
      signal.throwIfAborted()
      throw watched.unwrapSourceError(() => toCacheError(error, `store '${key}'`, this.#settings))
    }
  }

  async open(key: string, signal: AbortSignal) {
    const name = fileName(key)
    const file = await this.#stat(key, signal)
    if (file === undefined) return undefined
    const read = (at: number, length: number) =>
      this.#guard(`read '${key}'`, signal, async () => {
        const block = await this.#link.run(
          (connection) => connection.read(name, at, length),
          signal,
        )
        if (block.length === length) return block
        throw new CacheError(`'${key}' became shorter while it was read`, {
          hint: 'Something other than the cache changes its files; store the key again.',
        })
      })
    await this.#touch(name, file.mtime, signal)
    return { bytes: file.size, archive: readBlocks(file.size, read) }
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    const name = fileName(key)
    await this.#guard(`delete '${key}'`, signal, () => this.#remove(name, signal))
  }

  async clear(signal: AbortSignal): Promise<void> {
    await this.#guard('delete its files', signal, async () => {
      const files = await this.#files(signal)
      await Promise.all(files.map(({ name }) => this.#remove(name, signal)))
    })
  }

  async usage(signal: AbortSignal): Promise<Usage> {
    return await this.#guard('list its files', signal, async () => {
      const usedBytes = sum(await this.#files(signal))
      const left = Math.max(0, this.#settings.limitBytes - usedBytes)
      const onDisk = await this.#freeBytes(signal)
      return { usedBytes, freeBytes: onDisk === undefined ? left : Math.min(left, onDisk) }
    })
  }

  async close(): Promise<void> {
    await this.#link.close()
  }

  async #upload(
    temporary: string,
    key: string,
    archive: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<number> {
    await this.#link.run((connection) => connection.create(temporary), signal)
    await this.#removeAbandoned(temporary, signal)
    const bytes = await writeBlocks(archive, this.#settings.limitBytes, {
      write: (block, at) => this.#write(temporary, block, at, signal),
      tooLarge: () => tooLarge(key, this.#settings.limitBytes),
    })
    await this.#link.run((connection) => connection.finish(temporary), signal)
    return bytes
  }

  /** A full disk is no reason to fail as long as there are keys to give way. */
  async #write(name: string, block: Buffer, at: number, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#link.run((connection) => connection.write(name, block, at), signal)
      } catch (error) {
        if (!isStatus(error, STATUS.FAILURE) || tries > 2) throw error
        this.#room = this.#room.then(() => this.#makeRoom(signal))
        const isRoom = await this.#room
        if (isRoom === undefined) throw error
        if (!isRoom) throw diskFull(this.#settings, error)
      }
    }
  }

  /** @returns whether it is worth while to write again; undefined = the server does not say */
  async #makeRoom(signal: AbortSignal): Promise<boolean | undefined> {
    const free = await this.#freeBytes(signal)
    if (free === undefined) return undefined
    if (free >= ROOM_BYTES) return true // somebody else has made it
    let missing = ROOM_BYTES - free
    for (const { name, bytes } of leastRecentlyUsed(await this.#files(signal))) {
      await this.#remove(name, signal)
      missing -= bytes
      if (missing <= 0) return true
    }
    return ((await this.#freeBytes(signal)) ?? 0) > free
  }

  async #keepWithinLimit(fresh: string, signal: AbortSignal): Promise<void> {
    const files = await this.#files(signal)
    let total = sum(files)
    for (const { name, bytes } of leastRecentlyUsed(files)) {
      if (total <= this.#settings.limitBytes) return
      if (name === fresh) continue
      await this.#remove(name, signal)
      total -= bytes
    }
  }

  /** @returns false when the name is taken */
  async #publish(
    temporary: string,
    name: string,
    bytes: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { size } = await this.#link.run((connection) => connection.stat(temporary), signal)
    if (size !== bytes) throw incomplete(this.#settings, size, bytes)
    try {
      await this.#link.run((connection) => connection.rename(temporary, name), signal)
      return true
    } catch (error) {
      const taken = await this.#statFile(name, signal)
      if (taken === undefined) throw error
      // The rename was done, its answer got lost, and so it was tried again.
      return isStatus(error, STATUS.NO_SUCH_FILE) && taken.size === bytes
    }
  }

  async #removeAbandoned(own: string, signal: AbortSignal): Promise<void> {
    const entries = await this.#link.run((connection) => connection.list(), signal)
    const now = entries.find(({ filename }) => filename === own)?.attrs.mtime ?? 0 // by its clock
    for (const { filename, attrs } of entries) {
      const isOld = (now - attrs.mtime) * 1_000 > ABANDONED_MS
      if (TEMPORARY.test(filename) && isOld) await this.#remove(filename, signal)
    }
  }

  async #discard(temporary: string): Promise<void> {
    using deadline = new Deadline(CLEAN_UP_LIMIT_MS)
    await this.#remove(temporary, deadline.signal).catch(() => undefined) // an hour later another will
  }

  async #touch(name: string, storedAt: number, signal: AbortSignal): Promise<void> {
    const usedAt = Math.floor(Date.now() / 1_000)
    await this.#link
      .run((connection) => connection.setTimes(name, usedAt, storedAt), signal)
      .catch(() => signal.throwIfAborted()) // removed meanwhile, or not ours to touch
  }

  async #stat(key: string, signal: AbortSignal) {
    const name = fileName(key)
    return await this.#guard(`look up '${key}'`, signal, () => this.#statFile(name, signal))
  }

  async #statFile(name: string, signal: AbortSignal) {
    try {
      const stats = await this.#link.run((connection) => connection.stat(name), signal)
      return stats.isFile() ? stats : undefined
    } catch (error) {
      if (isStatus(error, STATUS.NO_SUCH_FILE)) return undefined
      throw error
    }
  }

  async #files(signal: AbortSignal): Promise<RemoteFile[]> {
    const entries = await this.#link.run((connection) => connection.list(), signal)
    return entries
      .filter(({ filename, attrs }) => attrs.isFile() && !filename.startsWith('.'))
      .map(({ filename: name, attrs: { size: bytes, mtime, atime } }) => {
        const times = { storedAt: mtime * 1_000, usedAt: atime * 1_000 }
        return { name, key: keyOf(name), bytes, ...times }
      })
  }

  async #remove(name: string, signal: AbortSignal): Promise<void> {
    await this.#link
      .run((connection) => connection.remove(name), signal)
      .catch((error: unknown) => {
        if (!isStatus(error, STATUS.NO_SUCH_FILE)) throw error
      })
  }

  async #freeBytes(signal: AbortSignal): Promise<number | undefined> {
    const space = await this.#link.run((connection) => connection.space(), signal)
    return space === undefined ? undefined : space.f_bavail * space.f_frsize
  }

  async #guard<T>(action: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      throw toCacheError(error, action, this.#settings)
    }
  }
}

/** Names that begin with a dot are none of the cache's: a home directory has some of its own. */
function fileName(key: string): string {
  const name = key.replaceAll('%', '%25').replace(/^\./, '%2E')
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES && !name.includes('\0')) return name
  throw new CacheError(`The key '${key}' is longer than the name of a file may be`, {
    hint: `Give it a shorter name: ${MAX_NAME_BYTES} bytes at most.`,
  })
}

function keyOf(name: string): string {
  return name.replace(/^%2E/, '.').replaceAll('%25', '%')
}

function leastRecentlyUsed(files: readonly RemoteFile[]): RemoteFile[] {
  return files.toSorted((a, b) => a.usedAt - b.usedAt || a.storedAt - b.storedAt)
}

function sum(files: readonly RemoteFile[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0)
}

function tooLarge(key: string, limitBytes: number): CacheError {
  return new CacheError(
    `'${key}' is larger than the limit of the whole cache (${limitBytes} bytes)`,
    {
      hint: 'Store less under this key, or give the cache more space with --cache-limit.',
    },
  )
}
