/**
 * The files of a job in its main container as `cache` sees them, by the archive calls of the Engine
 * API: an image needs no program for it, and a remote engine will do.
 *
 * @module
 */

import { posix } from 'node:path'
import { unlessAborted } from '../../async/abort.ts'
import {
  changed,
  type FileOwner,
  inTheWay,
  type JobFiles,
  notKept,
  type UnpackOptions,
} from '../../cache/job-files.ts'
import { getTar, putTar, statPath } from '../../docker/archive.ts'
import { CacheError, DockerRefusedError } from '../../errors.ts'
import {
  type ByteString,
  bufferOf,
  bytes,
  decodeBytes,
  encodeBytes,
  mapBytes,
} from '../../files/byte-string.ts'
import { encodeHeader, type TarEntry } from '../../tar/header.ts'
import { DamagedTarError, TarReader } from '../../tar/reader.ts'
import { rewriteTar } from '../../tar/rewrite.ts'
import {
  mayRead,
  requireReadable,
  requireWritable,
  type UserIn,
  unreadableEntry,
} from './permissions.ts'
import { placeEntries } from './place-entries.ts'

/** As many as the kernel follows. */
const MAX_LINKS = 40

/** Mounts of every container that are not on the disk the engine looks at: it would see what is below them. */
const UNSEEN = /^\/(dev|proc|sys)(\/|$)/

/** Of directories on the way to what is restored, where there are none. */
const DIRECTORY_MODE = 0o755

export class ContainerFiles implements JobFiles {
  readonly #where: UserIn
  #lastTurn: Promise<void> = Promise.resolve()

  constructor(where: UserIn) {
    this.#where = where
  }

  async exists(path: ByteString, signal: AbortSignal): Promise<boolean> {
    const done = await this.#awaitTurn(signal)
    try {
      return (await this.#stat(path, signal)) !== undefined
    } finally {
      done()
    }
  }

  async *read(path: ByteString, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const done = await this.#awaitTurn(signal)
    try {
      await requireReadable(this.#where, path, signal)
      const place = await this.#followLinks(path, signal)
      const reader = new TarReader()
      for await (const chunk of await this.#get(place, signal)) {
        for (const event of reader.push(chunk)) {
          if (event.type === 'entry' && event.entry.type !== 'file') throw unreadable(path)
          if (event.type === 'data') yield event.bytes
        }
      }
      reader.end()
    } finally {
      done()
    }
  }

  async *pack(
    path: ByteString,
    name: ByteString,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void> {
    const rename = (found: ByteString) => {
      const slash = found.indexOf('/')
      return slash === -1 ? name : bytes`${name}${found.slice(slash)}`
    }
    const { user } = this.#where
    let count = 0
    const done = await this.#awaitTurn(signal)
    try {
      const groups = await requireReadable(this.#where, path, signal)
      yield* rewriteTar(await this.#get(path, signal), (entry) => {
        count++
        if (entry.type === 'other') {
          if (count === 1) throw notKept(path)
          return undefined
        }
        if (user !== undefined && !mayRead({ ...user, groups }, entry))
          throw unreadableEntry(user, entry)
        const target = entry.type === 'link' ? rename(entry.target) : entry.target
        return { ...entry, name: rename(entry.name), target }
      })
      if (count === 0) throw notKept(path) // sockets are left out by the engine itself
    } catch (error) {
      // An engine breaks off where a file has become shorter than it was.
      throw error instanceof DamagedTarError ? changed(path, error) : error
    } finally {
      done()
    }
  }

  async unpack(
    tar: AsyncIterable<Uint8Array>,
    { directory, owner, signal }: UnpackOptions,
  ): Promise<ByteString> {
    let failure: unknown
    const { guard, input: placed, outermost } = placeEntries(tar, { directory, owner })
    const done = await this.#awaitTurn(signal)
    try {
      const first = await placed.next() // by then the outermost entry is known
      const parents = await this.#prepareParents(outermost() ?? bytes`/`, owner, signal)
      const all = (async function* () {
        try {
          yield parents
          if (!first.done) yield first.value
          yield* placed
        } catch (error) {
          failure = error
          throw error
        }
      })()
      const { docker, containerId } = this.#where
      await putTar(docker, containerId, all, signal)
      return guard.root ?? bytes``
    } catch (error) {
      signal.throwIfAborted()
      throw failure ?? conflictOf(error) // the engine's is only the echo of the source's own
    } finally {
      await placed.return()
      done()
    }
  }

  async #stat(path: ByteString, signal: AbortSignal) {
    if (UNSEEN.test(path)) throw unseen(path)
    return await statPath(this.#where.docker, this.#where.containerId, bufferOf(path), signal)
  }

  async #get(path: ByteString, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { docker, containerId } = this.#where
    try {
      return await getTar(docker, containerId, bufferOf(path), signal)
    } catch (error) {
      if (error instanceof DockerRefusedError && error.status === 404) throw unreadable(path)
      throw error
    }
  }

  async #followLinks(path: ByteString, signal: AbortSignal): Promise<ByteString> {
    let place = path
    for (let count = 0; count < MAX_LINKS; count++) {
      const stat = await this.#stat(place, signal)
      if (stat === undefined || !stat.isLink) return place
      place = encodeBytes(stat.linkTarget)
    }
    return place
  }

  /** @returns the parents that are missing, as entries of a tar, outermost first */
  async #prepareParents(
    path: ByteString,
    owner: FileOwner = { uid: 0, gid: 0 },
    signal: AbortSignal,
  ): Promise<Buffer> {
    const missing: TarEntry[] = []
    let parent = mapBytes(path, posix.dirname)
    while (parent !== '/' && (await this.#stat(parent, signal)) === undefined) {
      const mtime = Math.floor(Date.now() / 1_000)
      const rest = { mode: DIRECTORY_MODE, ...owner, size: 0, mtime, target: bytes`` }
      missing.unshift({ name: parent.slice(1), type: 'directory', ...rest })
      parent = mapBytes(parent, posix.dirname)
    }
    await requireWritable(this.#where, parent, path, signal)
    return Buffer.concat(missing.map((entry) => encodeHeader(entry)))
  }

  /**
   * One after the other: the engine would make them wait in any case, but in a way that cannot be
   * told from one that hangs.
   *
   * @returns a function that ends the turn
   */
  async #awaitTurn(signal: AbortSignal): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const before = this.#lastTurn
    this.#lastTurn = before.then(() => promise)
    try {
      await unlessAborted(before, signal)
      return resolve
    } catch (error) {
      resolve()
      throw error
    }
  }
}

/** What is in the way, as the engine reports it. */
const CONFLICT = /cannot overwrite (non-)?directory "([^"]*)"/

function conflictOf(error: unknown): unknown {
  const [, isOther, path = ''] = CONFLICT.exec(error instanceof Error ? error.message : '') ?? []
  if (path === '') return error
  return isOther
    ? inTheWay(path, 'not a directory', 'a directory')
    : inTheWay(path, 'a directory', 'not')
}

function unseen(path: ByteString): CacheError {
  return new CacheError(
    `${decodeBytes(path)} is on a file system of the kernel, which the engine cannot read`,
    {
      hint: "Use a directory on the container's disk.",
    },
  )
}

function unreadable(path: ByteString): CacheError {
  return new CacheError(`${decodeBytes(path)} is not a readable file`, {
    hint: 'Name one that exists.',
  })
}
