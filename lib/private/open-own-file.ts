/**
 * Opens a file without believing its name: under it may stand another user's file, a link that leads
 * to any file, or a FIFO at which opening waits for ever.
 *
 * @module
 */

import { closeSync, constants, fstatSync, lstatSync, openSync, type Stats } from 'node:fs'
import { isTrusted } from './ownership.ts'

const { O_NOCTTY, O_NOFOLLOW, O_NONBLOCK } = constants

const PRIVATE = 0o600

/**
 * A link is followed when it is this user's or root's, as `/dev/stdout` is.
 *
 * @param flags as `open` takes them; a file that is made is for this user alone
 * @returns the descriptor
 * @throws {Error} of the file system, or saying whose it is
 */
export function openOwnFile(path: string, flags: number): number {
  const link = lstatSync(path, { throwIfNoEntry: false })
  const follows = link?.isSymbolicLink() === true && isTrusted(link) ? 0 : O_NOFOLLOW
  const descriptor = openSync(path, flags | O_NONBLOCK | O_NOCTTY | follows, PRIVATE)
  const problem = describeProblem(fstatSync(descriptor))
  if (problem === undefined) return descriptor
  closeSync(descriptor)
  throw new Error(`${path} ${problem}`)
}

function describeProblem(stats: Stats): string | undefined {
  if (!isTrusted(stats)) return 'belongs to another user'
  if (stats.isFile() && stats.nlink > 1) return 'has other hard links'
  return undefined
}
