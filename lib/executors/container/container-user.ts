/**
 * Users of a job's main container: who they are there, and programs that run as one of them.
 *
 * @module
 */

import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { onAbort } from '../../async/abort.ts'
import type { FileOwner } from '../../cache/job-files.ts'
import type { DockerClient } from '../../docker/client.ts'
import { execExitCode, openExec, runExec } from '../../docker/exec.ts'
import { readFrames } from '../../docker/frames.ts'

export interface ContainerUser extends FileOwner {
  /** As the engine takes it: with the groups that the container's files give that user. */
  readonly execAs: string
}

/** A user without a line in the container's `/etc/passwd` gets no group that has anything. */
const NO_GROUP = 65_534

/** `$1` is a uid; prints the gid that goes with it. In bash alone. */
const LOOK_UP = `while IFS=: read -r _ _ uid gid _; do
  [[ $uid != "$1" ]] || { printf %s "$gid"; exit; }
done </etc/passwd`

/**
 * @param uid proven to be the client's; nothing else of what it says is looked at
 * @param gid of the job's own user, whose groups the job's author has chosen
 */
export async function findUser(
  docker: DockerClient,
  containerId: string,
  { uid, gid }: { readonly uid: number; readonly gid?: number | undefined },
  signal: AbortSignal,
): Promise<ContainerUser> {
  const command = ['bash', '-p', '-c', LOOK_UP, 'look', String(uid)]
  const { output } = await runExec(docker, containerId, { command, user: '0', signal })
  const isListed = /^\d+$/.test(output)
  const group = gid ?? (isListed ? Number(output) : NO_GROUP)
  const hasOwn = isListed && Number(output) === group
  return { uid, gid: group, execAs: hasOwn ? `${uid}` : `${uid}:${group}` }
}

export interface UserProgram {
  readonly docker: DockerClient
  readonly containerId: string
  readonly user: ContainerUser
  /** For bash, in ASCII. */
  readonly script: string
  /** Absent = its input ends when nobody wants its output any more. */
  readonly input?: AsyncIterable<Uint8Array>
  readonly signal: AbortSignal
}

/** Kept of what a program says of its failure. */
const MAX_ERROR_CHARACTERS = 1_000

const END_POLL_MS = 20

/** A program that was not to be had, in bash. */
const NOT_FOUND = 127

export class UserProgramError extends Error {
  readonly isMissing: boolean

  constructor(exitCode: number, said: string) {
    super(said === '' ? `exit code ${exitCode}` : said)
    this.isMissing = exitCode === NOT_FOUND
  }
}

/**
 * Runs bash as that user.
 *
 * @returns its standard output
 * @throws {UserProgramError} when it ends with another exit code than 0, with what it said
 */
export async function* runAs(program: UserProgram): AsyncGenerator<Uint8Array, void> {
  const { docker, containerId, user, script, input, signal } = program
  const { id, stream } = await openExec(docker, containerId, {
    command: ['bash', '-p', '-c', script],
    environment: ['LC_ALL=C'],
    user: user.execAs,
    signal,
  })
  using _ = onAbort(signal, () => stream.destroy())
  const fed = input === undefined ? Promise.resolve() : feed(stream, input)
  fed.catch(() => undefined) // thrown below
  let said = ''
  try {
    for await (const { stream: from, bytes } of readFrames(stream)) {
      if (from === 'stdout') yield bytes
      else said = (said + Buffer.from(bytes).toString()).slice(0, MAX_ERROR_CHARACTERS)
    }
    await fed
    const exitCode = await endOf(docker, id, signal)
    if (exitCode !== 0) throw new UserProgramError(exitCode, said.trim().replaceAll('\n', '; '))
  } catch (error) {
    signal.throwIfAborted()
    await fed
    throw error
  } finally {
    stream.destroy()
  }
}

/** A program that has ended before it has read all has its reasons, which its exit code tells. */
async function feed(stream: Duplex, input: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const piece of input) {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      stream.write(piece, (error) => resolve(!error))
      if (!(await promise)) return
    }
    stream.end()
  } catch (error) {
    stream.destroy()
    throw error
  }
}

/** The end of its output is not yet the program's. */
async function endOf(docker: DockerClient, id: string, signal: AbortSignal): Promise<number> {
  for (;;) {
    const exitCode = await execExitCode(docker, id)
    if (exitCode !== undefined) return exitCode
    await sleep(END_POLL_MS, undefined, { signal })
  }
}
