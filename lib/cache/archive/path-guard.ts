/**
 * Keeps a tar inside the one file or directory it was made of, whatever somebody has written into
 * it. Pure: it knows what the tar itself has put where, and lets nothing go through a link.
 *
 * @module
 */

import { CacheError } from '../../errors.ts'
import type { ByteString } from '../../files/byte-string.ts'
import type { TarEntry } from '../../tar/header.ts'

/** Of all names, with what it takes to remember each: three million files of a usual tree. */
const MAX_REMEMBERED_BYTES = 512 * 1_048_576
const FILE_BYTES = 64
/** They get their modes and times last. */
const DIRECTORY_BYTES = 512

export class PathGuard {
  #root: ByteString | undefined
  #remembered = 0
  readonly #directories = new Set<string>()
  readonly #files = new Set<string>()

  /** The name of the outermost entry, which is the first. */
  get root(): ByteString | undefined {
    return this.#root
  }

  /** @throws {CacheError} when the entry leads out of the outermost one */
  admit({ name, type, target }: TarEntry): void {
    if (this.#root === undefined) this.#begin(name, type)
    else if (!this.#isInside(name)) throw refusal(name)
    this.#remembered += name.length + (type === 'directory' ? DIRECTORY_BYTES : FILE_BYTES)
    if (this.#remembered > MAX_REMEMBERED_BYTES) throw tooMany()
    if (type === 'directory') {
      if (this.#files.has(name)) throw refusal(name)
      this.#directories.add(name)
      return
    }
    if (this.#directories.has(name)) throw refusal(name)
    if (type === 'link' && !this.#files.has(target)) throw refusal(`${name} -> ${target}`)
    if (type === 'file' || type === 'link') this.#files.add(name)
    else this.#files.delete(name) // a link now stands there: nothing may be linked to it
  }

  #begin(name: ByteString, type: TarEntry['type']): void {
    const relative = name.startsWith('/') ? name.slice(1) : name
    const parts = relative.split('/')
    // In the place of a directory one stands in nothing else can be put.
    const isMisplaced = parts.at(-1) === '.' && type !== 'directory'
    if (
      relative === '' ||
      parts.some((part) => part === '..') ||
      name.includes('\0') ||
      isMisplaced
    ) {
      throw refusal(name)
    }
    this.#root = name
  }

  /** What is in a directory of the archive, which is inside itself. */
  #isInside(name: string): boolean {
    const slash = name.lastIndexOf('/')
    if (slash === -1) return false
    const last = name.slice(slash + 1)
    if (last === '' || last === '.' || last === '..' || last.includes('\0')) return false
    return this.#directories.has(name.slice(0, slash))
  }
}

function tooMany(): CacheError {
  return new CacheError('The archive has more files than can be unpacked', {
    hint: 'Store less under one key, or an archive of your own that has all of them in one file.',
  })
}

function refusal(name: string): CacheError {
  return new CacheError(`The archive reaches out of its own directory: ${JSON.stringify(name)}`, {
    hint: 'It has been changed from outside: delete the key, and find out who can write to the store.',
  })
}
