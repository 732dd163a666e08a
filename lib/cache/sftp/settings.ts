/**
 * Where a job's SFTP cache is and who it is there, from the job's variables. Pure.
 *
 * @see lib/cache/README.md#where-archives-are-kept
 * @module
 */

import { CacheError } from '../../errors.ts'

export interface SftpAddress {
  readonly host: string
  readonly port: number
  readonly username: string
  /** In the job's file system; `~` is done already. */
  readonly privateKeyPath: string
}

export interface SftpSettings extends SftpAddress {
  readonly privateKey: Buffer
  /** The job's file of that name; empty = the server's key is taken as it is. */
  readonly knownHosts: string
  /** Of what the user's directory may hold. */
  readonly limitBytes: number
}

type Variables = Readonly<Record<string, string | undefined>>

const DEFAULT_PORT = 22

/**
 * @param variables the job's
 * @throws {CacheError} when one is missing or no use
 */
export function parseSftpAddress(variables: Variables): SftpAddress {
  const path = required(variables, 'SEMAPHORE_CACHE_PRIVATE_KEY_PATH')
  return {
    ...parseHost(required(variables, 'SEMAPHORE_CACHE_URL')),
    username: required(variables, 'SEMAPHORE_CACHE_USERNAME'),
    privateKeyPath: path.replace(/^~(?=\/)/, () => variables['HOME'] ?? '~'),
  }
}

function required(variables: Variables, name: string): string {
  const value = variables[name]
  if (value) return value
  throw new CacheError(`${name} is not set: the cache over SFTP needs it`, {
    hint: `Set ${name} in the job, or unset SEMAPHORE_CACHE_BACKEND for the cache on the agent's host.`,
  })
}

/** `host:port`, `host`, `[::1]:port`. */
function parseHost(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([^\s:/@[\]]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3] ?? DEFAULT_PORT)
  if (host !== undefined && port > 0 && port < 65_536) return { host, port }
  // Not shown: it may have a password in it.
  throw new CacheError('SEMAPHORE_CACHE_URL is not the address of an SFTP server', {
    hint: 'Give it as host:port, e.g. cache.example.com:22, without user and password.',
  })
}
