/**
 * Who can change what stands under a path of this host. On a shared machine a name alone proves
 * nothing: whoever makes a file first, or makes it again, decides what is in it.
 *
 * @module
 */

import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'

const WRITABLE_BY_GROUP = 0o020
const WRITABLE_BY_ALL = 0o002
const STICKY = 0o1000

const OVERFLOW_UID = 65_534
const UID_MAP = '/proc/self/uid_map'

/** The one this process acts as: files that it makes are that user's. */
export function ownUid(): number {
  return process.geteuid?.() ?? 0
}

/** Whether nobody but this user and root can change the content. */
export function isOwn(stats: Stats): boolean {
  return stats.uid === ownUid() && !isWritableByOthers(stats)
}

/** A private directory of this user's, no link to one. */
export function isOwnDirectory(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isDirectory() === true && isOwn(stats)
}

/**
 * Whether what is in that directory is this user's or root's, and stays that: in a sticky directory
 * open to all others can add to it, and no more.
 *
 * @returns what speaks against it; undefined when nothing does
 * @throws {Error} of the file system
 */
export function findForeignContent(directory: string): string | undefined {
  const stats = statSync(directory)
  if (!isTrusted(stats)) return 'it belongs to another user'
  if (!isWritableByOthers(stats)) return undefined
  if ((stats.mode & STICKY) === 0) return 'other users can write to it'
  const foreign = readdirSync(directory).find(
    (name) => !isTrusted(lstatSync(join(directory, name))),
  )
  return foreign === undefined ? undefined : `${foreign} in it belongs to another user`
}

/**
 * Who could put something else under that path, which need not be there yet: by a link, or because
 * one of the directories above is theirs or open to all. To groups it may be open: who gives a group
 * a directory trusts it.
 *
 * @returns what speaks against it; undefined when nothing does
 * @throws {Error} of the file system
 */
export function findForeignWay(path: string): string | undefined {
  const entry = findForeignEntry(path)
  if (entry !== undefined) return `${entry} belongs to another user`
  for (const directory of directoriesTo(dirname(realPathSoFar(resolve(path))))) {
    const stats = lstatSync(directory)
    if (!isTrusted(stats) && !isUnmapped(stats)) return `${directory} belongs to another user`
    if ((stats.mode & WRITABLE_BY_ALL) > 0 && (stats.mode & STICKY) === 0) {
      return `other users can write to ${directory}`
    }
  }
  return undefined
}

/** With its links followed as far as it is there. */
function realPathSoFar(path: string): string {
  const real = realTarget(path)
  return real ?? join(realPathSoFar(dirname(path)), basename(path))
}

/** `/`, and all below it on the way to that one, as far as they are there. */
function directoriesTo(path: string): string[] {
  const above = path === dirname(path) ? [] : directoriesTo(dirname(path))
  return existsSync(path) ? [...above, path] : above
}

/** In a user namespace all whom it does not know are one: the host's root, above all. */
function isUnmapped({ uid }: Stats): boolean {
  return uid === OVERFLOW_UID && !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync(UID_MAP, 'utf8'))
}

export function isTrusted({ uid }: Stats): boolean {
  return uid === ownUid() || uid === 0
}

/**
 * Whether nobody else can put something in the place of that directory, or of one it is in. In a
 * sticky directory as /tmp others cannot exchange what is there; so what is there must be one's own.
 *
 * @throws {Error} of the file system
 */
export function isInSafePlace(path: string): boolean {
  const names = realpathSync(path).split(sep)
  return names.every((_, index) => {
    const stats = lstatSync(join(sep, ...names.slice(0, index + 1)))
    return isTrusted(stats) && (!isWritableByOthers(stats) || (stats.mode & STICKY) > 0)
  })
}

/**
 * In a directory open to all, what another user has put there: not to be followed nor written to.
 * Where the kernel does not see to that (`fs.protected_symlinks`, `fs.protected_regular`), this does.
 *
 * @returns the file, link or directory on the way that is another user's; undefined when there is none
 */
export function findForeignEntry(path: string): string | undefined {
  const parent = dirname(path)
  if (parent === path) return undefined
  const earlier = findForeignEntry(parent)
  if (earlier !== undefined) return earlier
  const entry = lstatSync(path, { throwIfNoEntry: false })
  if (entry === undefined) return undefined
  const directory = statSync(parent)
  const isOpenToAll = (directory.mode & STICKY) > 0 && isWritableByOthers(directory)
  const isForeign = entry.uid !== ownUid() && entry.uid !== directory.uid
  if (isOpenToAll && isForeign) return path
  const target = entry.isSymbolicLink() ? realTarget(path) : undefined
  return target === undefined ? undefined : findForeignEntry(target)
}

/** @returns undefined for a link that leads nowhere */
function realTarget(link: string): string | undefined {
  try {
    return realpathSync(link)
  } catch {
    return undefined
  }
}

/** A group with the user's own number has that user alone in it, as a rule. */
function isWritableByOthers({ mode, uid, gid }: Stats): boolean {
  if ((mode & WRITABLE_BY_ALL) > 0) return true
  return (mode & WRITABLE_BY_GROUP) > 0 && gid !== 0 && gid !== uid
}
