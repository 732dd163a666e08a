/**
 * The directory in which an agent keeps what must outlive it: job logs, the journal of the job it
 * runs, its certificate. One agent has one; two never share one.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StateError } from '../errors.ts'
import { makeDirectory } from '../make-directory.ts'
import { lockFile } from '../private/lock.ts'
import { findForeignContent } from '../private/ownership.ts'

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
      await makeDirectory(path, 0o700)
      requireOwn(path)
      release = await lockFile(join(path, 'lock'))
      if (release !== undefined) {
        await writeFile(join(path, 'pid'), `${process.pid}\n`, { mode: 0o600 })
        return { path, instance: await readInstance(join(path, 'instance')), release }
      }
    } catch (cause) {
      release?.()
      reasons.push(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`)
      continue
    }
    throw new StateError(
      `Another agent${await describeHolder(path)} uses the state directory ${path}`,
      {
        hint: 'Give each agent a directory of its own with --state-dir, and a --port of its own.',
      },
    )
  }
  throw new StateError(`No state directory can be used: ${reasons.join('; ')}`, {
    hint: "Name one that the agent's user can write to, and nobody else, with --state-dir.",
  })
}

/**
 * Notes in it say what to remove, and whom to tell with which token.
 *
 * @throws {Error} saying who else can change them
 */
export function requireOwn(path: string): void {
  const problem = findForeignContent(path)
  if (problem !== undefined) throw new Error(problem)
}

async function readInstance(path: string): Promise<string> {
  const known = await readFile(path, 'utf8').catch(() => '') // not there on the first start
  if (/^[0-9a-f]{16}\n$/.test(known)) return known.trim()
  const instance = randomBytes(8).toString('hex')
  await writeFile(path, `${instance}\n`, { mode: 0o600 })
  return instance
}

async function describeHolder(path: string): Promise<string> {
  const pid = await readFile(join(path, 'pid'), 'utf8').catch(() => '')
  return pid === '' ? '' : ` (process ${pid.trim()})`
}
