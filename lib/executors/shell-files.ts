/**
 * Puts a job's files onto this host.
 *
 * @module
 */

import { execFile } from 'node:child_process'
import { chmod, open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeWayFor } from '../host/injected-files.ts'
import type { InjectedFile, OnOutput } from './executor.ts'

export interface InjectOptions {
  readonly home: string
  /** The job's own, where new files are noted: they go with the job. */
  readonly directory: string
  readonly signal: AbortSignal
  readonly onOutput: OnOutput
}

/** chmod does nothing that takes time; a hanging network file system does. */
const CHMOD_TIMEOUT_MS = 30_000

/** @returns exit code: 1 at the first file that could not be written, the reason in the output */
export async function injectHostFiles(
  files: readonly InjectedFile[],
  { home, directory, signal, onOutput }: InjectOptions,
): Promise<number> {
  for (const file of files) {
    signal.throwIfAborted()
    await onOutput(`Injecting ${file.path} with file mode ${file.mode}\n`)
    const problem = await injectFile(file, resolveInjectedPath(file.path, home), directory)
    if (problem === undefined) continue
    await onOutput(`${problem}\n`)
    return 1
  }
  return 0
}

/**
 * Where a file of the request goes: `~` is the job's home, and relative paths start there.
 *
 * @see the contract, section 5: the job's shell starts in `$HOME`
 */
export function resolveInjectedPath(path: string, home: string): string {
  if (path === '~' || path.startsWith('~/')) return join(home, path.slice(1))
  return path.startsWith('/') ? path : join(home, path)
}

/** A mode in octal digits, as a number; undefined when only `chmod` can tell (`+x`, `u=rw`). */
export function parseOctalMode(mode: string): number | undefined {
  return /^0*[0-7]{1,4}$/.test(mode) ? Number.parseInt(mode, 8) : undefined
}

/** @returns what went wrong, as a line for the job's author */
async function injectFile(
  file: InjectedFile,
  path: string,
  directory: string,
): Promise<string | undefined> {
  try {
    await makeWayFor(path, directory)
    await writeInPlace(path, file)
  } catch (error) {
    return `Failed to write ${path}: ${(error as Error).message}`
  }
  return (await setMode(path, file.mode)) ? undefined : `Failed to set file mode to ${file.mode}`
}

/**
 * A secret must not be readable by others between being written and being chmodded: a new file
 * starts without any right for them, and an existing one loses its rights first.
 */
async function writeInPlace(path: string, { content, mode }: InjectedFile): Promise<void> {
  const handle = await open(path, 'a', 0o600)
  try {
    if (parseOctalMode(mode) !== undefined) await handle.chmod(0o600)
    await handle.truncate()
    await handle.writeFile(content)
    if (parseOctalMode(mode) === undefined) await handle.chmod(0o666 & ~process.umask())
  } finally {
    await handle.close()
  }
}

async function setMode(path: string, mode: string): Promise<boolean> {
  const octal = parseOctalMode(mode)
  try {
    if (octal !== undefined) await chmod(path, octal)
    else await promisify(execFile)('chmod', ['--', mode, path], { timeout: CHMOD_TIMEOUT_MS })
    return true
  } catch {
    return false // the line in the job's log names the mode; chmod has nothing to add to it
  }
}
