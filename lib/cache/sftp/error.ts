/**
 * What can go wrong with an SFTP server and on the way to it, as errors of our own.
 *
 * @module
 */

import { CacheError } from '../../errors.ts'
import type { SftpAddress } from './settings.ts'

/** @see draft-ietf-secsh-filexfer-02, section 7: version 3, the one all servers speak */
export const STATUS = { NO_SUCH_FILE: 2, PERMISSION_DENIED: 3, FAILURE: 4 } as const

/** The connection is gone, or was never there; another may do better. */
export class ConnectionLostError extends Error {}

const ACCESS_HINT =
  "The user's directory on the server must exist, be writable for the user, and belong to the cache."

const FAILURE_HINT =
  'Many servers answer this when a disk or a quota is full; check the log of the server.'

/** @param action completes the sentence "refuses to …" */
export function toCacheError(error: unknown, action: string, address: SftpAddress): CacheError {
  if (error instanceof CacheError) return error
  const server = nameOf(address)
  const reason = error instanceof Error ? error.message : String(error)
  if (error instanceof ConnectionLostError) {
    return new CacheError(`${server} cannot be reached: ${reason}`, {
      hint: "Check SEMAPHORE_CACHE_URL, and that the agent's host reaches it.",
      cause: error,
    })
  }
  return new CacheError(`${server} refuses to ${action}: ${reason}`, {
    hint: isStatus(error, STATUS.FAILURE) ? FAILURE_HINT : ACCESS_HINT,
    cause: error,
  })
}

/** Whether the server has answered with this status. */
export function isStatus(error: unknown, status: number): boolean {
  return (error as { readonly code?: unknown }).code === status
}

export function nameOf({ host, port }: SftpAddress): string {
  return `The SFTP server ${host.includes(':') ? `[${host}]` : host}:${port}`
}

export function incomplete(address: SftpAddress, size: number, bytes: number): CacheError {
  return new CacheError(`${nameOf(address)} stored only ${size} of ${bytes} bytes`, {
    hint: 'Store it again; check the log of the server.',
  })
}

export function diskFull(address: SftpAddress, cause: unknown): CacheError {
  return new CacheError(`${nameOf(address)} has no room left`, {
    hint: "Store less, or give the server's disk or the user's quota more space.",
    cause,
  })
}
