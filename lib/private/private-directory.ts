/**
 * Directories in which nobody but this user can write: for what the agent believes when it reads it
 * again, as the files a job's shell runs and the notes of what is to be removed.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import {
  accessSync,
  constants,
  lstatSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StateError } from '../errors.ts'
import { makeDirectorySync } from '../files/make-directory.ts'
import { currentUser } from '../user.ts'
import { isInSafePlace, isOwnDirectory, ownUid } from './ownership.ts'

/** A full disk lets a directory be made, and a file of no bytes. This is what a job's own files need at least. */
const PROBE_BYTES = 128 * 1024

const PRIVATE = 0o700

/**
 * Where all agents of a user find what one of them has written, whatever environment each has: a
 * person logs in with another one than the agent's.
 */
export function commonDirectories(): string[] {
  const { home } = currentUser()
  return [
    ...(ownUid() === 0 ? ['/var/lib/agent'] : []),
    join(home, '.local', 'state', 'agent'),
    `/run/user/${ownUid()}/agent`,
  ]
}

/**
 * Makes the first directory that will do. Where none will (no home, a disk that is full or read-only),
 * it is one of an unguessable name in a directory for temporary files.
 *
 * @throws {StateError} with the reason for each one when there is none at all
 */
export function openPrivateDirectory(directories: readonly string[]): string {
  const reasons: string[] = []
  for (const open of [...directories.map((path) => () => make(path)), openTemporaryDirectory]) {
    try {
      const path = open()
      probe(path)
      return path
    } catch (error) {
      reasons.push((error as Error).message)
    }
  }
  throw new StateError(
    `There is no directory for files that nobody else can write: ${reasons.join('; ')}`,
    {
      hint: 'Give the agent’s user a writable home directory, or set --state-dir.',
    },
  )
}

/** As {@link openPrivateDirectory}, one from which programs can be run where there is one. */
export function openProgramDirectory(directories: readonly string[]): string {
  return directories.find(runsPrograms) ?? openPrivateDirectory(directories)
}

/** Those that are there, and are what they seem. */
export function existingDirectories(directories: readonly string[]): string[] {
  return [...new Set([...directories.filter(isUsable), ...temporaryPrivateDirectories()])]
}

/** By lines on a terminal a shell learns what to run: a control character in it would end it, or the line. */
export function canBeTyped(path: string): boolean {
  return !/\p{Cc}/u.test(path)
}

function make(path: string): string {
  if (!canBeTyped(path)) throw new Error(`${JSON.stringify(path)} has control characters`)
  makeDirectorySync(Buffer.from(path), PRIVATE)
  if (!isUsable(path)) throw new Error(`${path} is not a directory that only this user can change`)
  return path
}

function isUsable(path: string): boolean {
  try {
    return isOwnDirectory(path) && isInSafePlace(path)
  } catch {
    return false // it is gone, or in a directory that is closed to this user
  }
}

function runsPrograms(path: string): boolean {
  try {
    return probe(make(path))
  } catch {
    return false // the reason is reported if there is no other directory either
  }
}

/** @returns whether programs can be run from there (`noexec`) @throws {Error} of the file system */
function probe(directory: string): boolean {
  const file = join(directory, `probe-${randomBytes(6).toString('hex')}`)
  try {
    writeFileSync(file, Buffer.alloc(PROBE_BYTES), { mode: PRIVATE, flag: 'wx' })
    accessSync(file, constants.X_OK)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES' && isThere(file)) return false
    throw error
  } finally {
    rmSync(file, { force: true })
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/** One of an earlier time, if there is one: others cannot make one that is this user's. */
function openTemporaryDirectory(): string {
  const [known] = temporaryPrivateDirectories()
  return known ?? mkdtempSync(join(temporaryDirectories()[0] ?? tmpdir(), temporaryName()))
}

function temporaryPrivateDirectories(): string[] {
  return temporaryDirectories().flatMap((directory) =>
    readdirSync(directory)
      .filter((name) => name.startsWith(temporaryName()))
      .map((name) => join(directory, name))
      .filter(isOwnDirectory),
  )
}

/** Those that can be written to; the agent's own `TMPDIR` is not that of whoever logs in. */
function temporaryDirectories(): string[] {
  return [...new Set(['/tmp', tmpdir()])].filter((directory) => {
    try {
      accessSync(directory, constants.W_OK | constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function temporaryName(): string {
  return `agent-jobs-${ownUid()}-`
}
