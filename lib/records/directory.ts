/**
 * The directory in which an agent keeps what must outlive it: job logs, the record of the job it
 * runs, its certificate. One agent has one; two never share one.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { closeSync, constants } from 'node:fs'
import { join } from 'node:path'
import { StateError } from '../errors.ts'
import { makeDirectory } from '../files/make-directory.ts'
import { readSmallFile } from '../files/read-bounded.ts'
import { replaceFile } from '../files/replace-file.ts'
import { lockFile } from '../private/lock.ts'
import { openOwnFile } from '../private/open-own-file.ts'
import { findForeignContent, findForeignWay } from '../private/ownership.ts'

const { O_CREAT, O_RDWR } = constants

export interface StateDirectory {
  readonly path: string
  /** Names this agent, from start to start: containers carry it as a label. */
  readonly instance: string
  /** Another agent may have the directory from now on. */
  release(): void
}

/**
 * Makes the directory if need be, and takes it for this process.
 *
 * @param candidates the first that can be written to is taken
 * @throws {StateError} when none can, or another agent has it
 */
export async function openStateDirectory(candidates: readonly string[]): Promise<StateDirectory> {
  const reasons: string[] = []
  for (const path of candidates) {
    let release: (() => void) | undefined
    try {
      await makeOwn(path)
      const lock = join(path, 'lock')
      closeSync(openOwnFile(lock, O_RDWR | O_CREAT)) // SQLite would follow another user's link
      release = await lockFile(lock)
      if (release !== undefined) {
        await replaceFile(join(path, 'pid'), `${process.pid}\n`)
        return { path, instance: await readInstance(join(path, 'instance')), release }
      }
    } catch (cause) {
      release?.()
      reasons.push(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`)
      continue
    }
    throw new StateError(`Another agent${describeHolder(path)} uses the state directory ${path}`, {
      hint: 'Give each agent a directory of its own with --state-dir, and a --port of its own.',
    })
  }
  throw new StateError(`No state directory can be used: ${reasons.join('; ')}`, {
    hint: "Name one that the agent's user can write to, and nobody else, with --state-dir.",
  })
}

/** @throws {Error} of the file system, or saying who else can change what is there */
export async function makeOwn(path: string): Promise<void> {
  requireOwnWay(path)
  await makeDirectory(path, 0o700)
  requireOwn(path)
}

/** @throws {Error} saying who else could put something there, which need not be there yet */
export function requireOwnWay(path: string): void {
  const problem = findForeignWay(path)
  if (problem !== undefined) throw new Error(problem)
}

/**
 * Notes in it say what to remove, and whom to tell with which token.
 *
 * @throws {Error} saying who else can change them
 */
export function requireOwn(path: string): void {
  requireOwnWay(path)
  const problem = findForeignContent(path)
  if (problem !== undefined) throw new Error(problem)
}

async function readInstance(path: string): Promise<string> {
  const known = readIfThere(path)
  if (/^[0-9a-f]{16}\n$/.test(known)) return known.trim()
  const instance = randomBytes(8).toString('hex')
  await replaceFile(path, `${instance}\n`)
  return instance
}

function describeHolder(path: string): string {
  const pid = readIfThere(join(path, 'pid'))
  return pid === '' ? '' : ` (process ${pid.trim()})`
}

/** Empty when it cannot be read: on the first start there is none. */
function readIfThere(path: string): string {
  try {
    return readSmallFile(path)
  } catch {
    return ''
  }
}
