/**
 * Puts a job's files onto this host.
 *
 * @module
 */

import { constants, lstat, open, stat } from 'node:fs/promises'
import { unlessMissing } from '../../files/missing.ts'
import { makeWayFor } from '../../host/injected-files.ts'
import { findForeignEntry } from '../../private/ownership.ts'
import type { EncodedFile } from '../../request/job-request.ts'
import type { OnOutput } from '../executor.ts'
import { describeFailure, NOT_REPLACEABLE, type PlannedFile, planFile } from '../injection.ts'

export interface InjectOptions {
  readonly home: string
  /** The job's own, where new files are noted: they go with the job. */
  readonly directory: string
  readonly signal: AbortSignal
  readonly onOutput: OnOutput
}

/** Whatever has come there since it was looked at: nobody waits for the other end of a pipe. */
const { O_WRONLY, O_CREAT, O_EXCL, O_NOCTTY, O_NONBLOCK } = constants

/** @returns exit code: 1 at the first file that could not be written, the reason in the output */
export async function injectHostFiles(
  files: readonly EncodedFile[],
  { home, directory, signal, onOutput }: InjectOptions,
): Promise<number> {
  for (const file of files) {
    signal.throwIfAborted()
    await onOutput(`Injecting ${file.path} with file mode ${file.mode}\n`)
    const planned = planFile(file, home, process.umask())
    const problem = typeof planned === 'string' ? planned : await injectFile(planned, directory)
    if (problem === undefined) continue
    for (const line of problem.split('\n')) await onOutput(`${line}\n`)
    return 1
  }
  return 0
}

/** @returns what went wrong, for the job's author */
async function injectFile(file: PlannedFile, directory: string): Promise<string | undefined> {
  try {
    refuseForeign(file.path)
    const isThere = await isReplaceable(file.path)
    await makeWayFor(file.path, directory)
    refuseForeign(file.path) // somebody may have been faster on the way
    await writeInPlace(file, isThere ? 0 : O_CREAT | O_EXCL)
    return undefined
  } catch (error) {
    return describeFailure(file.path, (error as Error).message)
  }
}

/** Through another user's file, link or directory a secret would get to that user. @throws {Error} */
function refuseForeign(path: string): void {
  const foreign = findForeignEntry(path)
  if (foreign !== undefined) {
    throw new Error(`${foreign}, in a directory open to all, belongs to another user`)
  }
}

/** @throws {Error} for everything but a regular file, a link to one, and nothing at all */
async function isReplaceable(path: string): Promise<boolean> {
  const found = await unlessMissing(stat(path))
  if (found?.isFile()) return true
  if (found !== undefined || (await unlessMissing(lstat(path))) !== undefined) {
    throw new Error(NOT_REPLACEABLE)
  }
  return false
}

/**
 * A secret must not be readable by others between being written and being chmodded: a new file
 * starts without any right for them, and an existing one loses its rights first.
 */
async function writeInPlace({ path, content, mode }: PlannedFile, how: number): Promise<void> {
  const handle = await open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | how, 0o600)
  try {
    if (!(await handle.stat()).isFile()) throw new Error(NOT_REPLACEABLE)
    await handle.chmod(0o600)
    await handle.truncate()
    await handle.writeFile(content)
    await handle.chmod(mode)
  } finally {
    await handle.close()
  }
}
