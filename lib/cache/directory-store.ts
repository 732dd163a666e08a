/**
 * The cache in a directory of this host, which several agents may share.
 *
 * Each key is one file, `<key>.tar.zst`, which appears by link(2): complete, and never in place of
 * another. It begins with a frame every zstd reader skips, with the key and the checksum of the
 * rest. Its modification time says when it was stored, its access time when it was last used; that
 * one is set by hand, for file systems do not keep it.
 *
 * @module
 */

import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, link, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CacheError } from '../errors.ts'
import { makeDirectory } from '../files/make-directory.ts'
import {
  encodeHeader,
  HEADER_BYTES,
  openIfThere,
  readArchive,
  readHeader,
  readKey,
  unusable,
  writeAll,
} from './archive-file.ts'
import type { CacheStore, StoredKey, Usage } from './store.ts'

export interface DirectoryStoreOptions {
  /** Of the whole cache, all projects. */
  readonly directory: string
  /** The job's project, whose keys are its own; empty = none. */
  readonly project: string
  readonly limitBytes: number
}

interface ArchiveFile {
  readonly path: string
  readonly name: string
  readonly bytes: number
  readonly storedAt: number
  readonly usedAt: number
}

const ENDING = '.tar.zst'

/** No project's name as a file's: there `~` is escaped. */
const NO_PROJECT = '~'

/** Of a file's name, less our ending; file systems take 255. */
const MAX_NAME_BYTES = 200

/** A store that has written nothing for this long was killed. */
const ABANDONED_MS = 3_600_000

export class DirectoryStore implements CacheStore {
  readonly #options: DirectoryStoreOptions
  readonly #directory: string
  /** Of archives that were given out, as long as they are read. */
  readonly #reading = new Set<FileHandle>()

  constructor(options: DirectoryStoreOptions) {
    this.#options = options
    const { directory, project } = options
    this.#directory = join(directory, project === '' ? NO_PROJECT : fileName(project))
  }

  async list(): Promise<readonly StoredKey[]> {
    const keys: StoredKey[] = []
    for (const { path, name, bytes, storedAt } of await listArchives(this.#directory)) {
      // One at a time: all at once, a thousand open files would be more than many hosts allow.
      const key = name.includes('~') ? await readKey(path) : decodeURIComponent(name)
      if (key !== '') keys.push({ key, bytes: Math.max(0, bytes - HEADER_BYTES), storedAt })
    }
    return keys.sort((a, b) => b.storedAt - a.storedAt)
  }

  async has(key: string): Promise<boolean> {
    return await stat(this.#path(key)).then(
      () => true,
      () => false,
    )
  }

  async store(
    key: string,
    archive: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { directory, limitBytes } = this.#options
    const temporary = join(this.#directory, `.${randomBytes(12).toString('hex')}.part`)
    try {
      await makeDirectory(this.#directory, 0o700)
      await removeAbandoned(this.#directory)
      const bytes = await this.#write(temporary, key, archive, signal)
      await link(temporary, this.#path(key))
      await makeRoom(directory, limitBytes, this.#path(key))
      return bytes
    } catch (error) {
      signal.throwIfAborted()
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
      throw error instanceof CacheError ? error : unusable(this.#directory, error)
    } finally {
      // One that stays, because the directory has gone, is seen by nobody and removed later.
      await rm(temporary, { force: true }).catch(() => undefined)
    }
  }

  async open(key: string, signal: AbortSignal) {
    const path = this.#path(key)
    const file = await openIfThere(path)
    if (file === undefined) return undefined
    try {
      const header = await readHeader(file)
      const hash = createHash('sha256')
      for await (const chunk of readArchive(file, signal)) hash.update(chunk)
      if (header.key !== key || hash.digest('hex') !== header.sha256) {
        await rm(path, { force: true })
        throw new CacheError(`The archive of '${key}' was damaged and has been removed`, {
          hint: 'Store it again; check the disk of the agent’s host if this happens often.',
        })
      }
      const { size, mtime } = await file.stat()
      await file.utimes(new Date(), mtime)
      this.#reading.add(file)
      return { bytes: size - HEADER_BYTES, archive: this.#readAndClose(file, signal) }
    } catch (error) {
      await file.close()
      signal.throwIfAborted()
      throw error instanceof CacheError ? error : unusable(path, error)
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.#path(key), { force: true })
  }

  async clear(): Promise<void> {
    for (const { path } of await listArchives(this.#directory)) await rm(path, { force: true })
  }

  async usage(): Promise<Usage> {
    const { directory, limitBytes } = this.#options
    const sum = (files: readonly ArchiveFile[]) =>
      files.reduce((total, { bytes }) => total + bytes, 0)
    const all = sum((await Promise.all(await projects(directory))).flat())
    const usedBytes = sum(await listArchives(this.#directory))
    return { usedBytes, freeBytes: Math.max(0, limitBytes - all) }
  }

  /** Archives that nobody has read to the end, or at all, are let go of. */
  async close(): Promise<void> {
    await Promise.all([...this.#reading].map((file) => file.close()))
    this.#reading.clear()
  }

  async *#readAndClose(file: FileHandle, signal: AbortSignal) {
    try {
      yield* readArchive(file, signal)
    } finally {
      this.#reading.delete(file)
      await file.close()
    }
  }

  async #write(
    path: string,
    key: string,
    archive: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<number> {
    const { directory, limitBytes } = this.#options
    const file = await open(path, 'wx', 0o600)
    try {
      const hash = createHash('sha256')
      let bytes = 0
      for await (const chunk of archive) {
        signal.throwIfAborted()
        hash.update(chunk)
        await unlessFull(directory, () => writeAll(file, chunk, HEADER_BYTES + bytes))
        bytes += chunk.length
        if (bytes + HEADER_BYTES > limitBytes) throw tooLarge(key, limitBytes)
      }
      const header = encodeHeader({ key, sha256: hash.digest('hex') })
      await unlessFull(directory, () => writeAll(file, header, 0))
      return bytes
    } finally {
      await file.close()
    }
  }

  #path(key: string): string {
    return join(this.#directory, fileName(key) + ENDING)
  }
}

/** Safe as one part of a path, and the same only for the same text. */
function fileName(key: string): string {
  const name = encodeURIComponent(key.toWellFormed())
    .replace(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/^\./, '%2E')
  if (name.length <= MAX_NAME_BYTES) return name
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 32)
  return `${name.slice(0, MAX_NAME_BYTES - 40)}~${digest}`
}

/** Else it is none of ours. */
function isEncoded(name: string): boolean {
  try {
    decodeURIComponent(name)
    return true
  } catch {
    return false
  }
}

/** Every project's files, most of them in memory anyway: the file system's. */
async function projects(directory: string): Promise<Array<Promise<ArchiveFile[]>>> {
  const names = await readdir(directory).catch(noneIfMissing)
  return names.map((name) => listArchives(join(directory, name)))
}

async function listArchives(directory: string): Promise<ArchiveFile[]> {
  const names = await readdir(directory).catch(noneIfMissing)
  const files = await Promise.all(
    names
      .filter((name) => name.endsWith(ENDING) && !name.startsWith('.') && isEncoded(name))
      .map(async (name) => {
        const path = join(directory, name)
        const stats = await stat(path).catch(() => undefined) // removed meanwhile
        if (!stats?.isFile()) return []
        const { size: bytes, mtimeMs: storedAt, atimeMs: usedAt } = stats
        return [{ path, name: name.slice(0, -ENDING.length), bytes, storedAt, usedAt }]
      }),
  )
  return files.flat()
}

/** The least recently used go first; the one just stored stays. */
async function makeRoom(directory: string, limitBytes: number, fresh: string): Promise<void> {
  const files = (await Promise.all(await projects(directory))).flat()
  let total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const { path, bytes } of files.sort(leastRecentlyUsed)) {
    if (total <= limitBytes) return
    if (path === fresh) continue
    await rm(path, { force: true })
    total -= bytes
  }
}

/** A full disk is no reason to fail as long as there are keys to give way. */
async function unlessFull(directory: string, write: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await write()
    } catch (error) {
      const isFull = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
      const files = isFull ? (await Promise.all(await projects(directory))).flat() : []
      const [first] = files.sort(leastRecentlyUsed)
      if (first === undefined) throw error
      await rm(first.path, { force: true })
    }
  }
}

function leastRecentlyUsed(a: ArchiveFile, b: ArchiveFile): number {
  return a.usedAt - b.usedAt
}

async function removeAbandoned(directory: string): Promise<void> {
  const names = await readdir(directory)
  for (const name of names.filter((it) => it.startsWith('.') && it.endsWith('.part'))) {
    const path = join(directory, name)
    const stats = await stat(path).catch(() => undefined) // its owner has just finished
    if (stats !== undefined && Date.now() - stats.mtimeMs > ABANDONED_MS) {
      await rm(path, { force: true })
    }
  }
}

function noneIfMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
  throw error
}

function tooLarge(key: string, limitBytes: number): CacheError {
  return new CacheError(
    `'${key}' is larger than the limit of the whole cache (${limitBytes} bytes)`,
    {
      hint: 'Store less under this key, or give the cache more space with --cache-limit.',
    },
  )
}
