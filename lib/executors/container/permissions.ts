/**
 * What a job's user may do in its container. The engine moves files as root, and would do so for a
 * user who is not: so it is asked before what that user could not have done.
 *
 * @module
 */

import type { FileOwner } from '../../cache/job-files.ts'
import type { DockerClient } from '../../docker/client.ts'
import { runExec } from '../../docker/exec.ts'
import { CacheError } from '../../errors.ts'
import { type ByteString, decodeBytes } from '../../files/byte-string.ts'
import type { TarEntry } from '../../tar/header.ts'
import type { ContainerUser } from './container-user.ts'
import { quoteBytes } from './quote-bytes.ts'

export interface UserIn {
  readonly docker: DockerClient
  readonly containerId: string
  /** Absent = root, who may do everything. */
  readonly user: ContainerUser | undefined
}

/**
 * @returns the user's groups
 * @throws {CacheError} when the user cannot reach or read what stands at this path
 */
export async function requireReadable(
  where: UserIn,
  path: ByteString,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const word = quoteBytes(path)
  const test = `[[ -r ${word} || -L ${word} ]] && echo "\${GROUPS[*]}"`
  const output = await require(where, test, `read ${decodeBytes(path)}`, signal)
  return output.split(/\s+/).map(Number)
}

/**
 * @param directory in which something is to be put
 * @param place of that thing; one that is there already has to be writable as well, or the
 *   user's own, who could make it so
 * @throws {CacheError} when the user cannot write there
 */
export async function requireWritable(
  where: UserIn,
  directory: ByteString,
  place: ByteString,
  signal: AbortSignal,
) {
  const [parent, word] = [quoteBytes(directory), quoteBytes(place)]
  const isOpen = `! -d ${word} || -L ${word} || -w ${word} || -O ${word}`
  const test = `[[ -w ${parent} && -x ${parent} && ( ${isOpen} ) ]]`
  await require(where, test, `write to ${decodeBytes(directory)}`, signal)
}

/** By the bits alone. */
export function mayRead(
  { uid, groups }: { readonly uid: number; readonly groups: readonly number[] },
  { type, mode, ...entry }: TarEntry,
): boolean {
  if (type === 'link' || type === 'symlink') return true
  const bits = mode >> (entry.uid === uid ? 6 : groups.includes(entry.gid) ? 3 : 0)
  const needed = type === 'directory' ? 0o5 : 0o4
  return (bits & needed) === needed
}

/** For an entry of a tar that the user may not read. */
export function unreadableEntry(user: FileOwner, { name }: TarEntry): CacheError {
  return refusal(user, `read ${decodeBytes(name)}`)
}

async function require(
  { docker, containerId, user }: UserIn,
  test: string,
  what: string,
  signal: AbortSignal,
): Promise<string> {
  if (user === undefined) return ''
  const { exitCode, output } = await runExec(docker, containerId, {
    command: ['bash', '-p', '-c', test],
    user: user.execAs,
    signal,
  })
  if (exitCode !== 0) throw refusal(user, what)
  return output
}

function refusal({ uid, gid }: FileOwner, what: string): CacheError {
  return new CacheError(`The job's user (${uid}:${gid}) may not ${what}`, {
    hint: 'Change who owns it, or its mode, or the user of the main container.',
  })
}
