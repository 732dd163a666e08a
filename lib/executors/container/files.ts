/**
 * Puts a job's files into its main container, all of them by one archive.
 *
 * @module
 */

import { posix } from 'node:path'
import { type ArchiveEntry, putArchive } from '../../docker/archive.ts'
import type { DockerClient } from '../../docker/client.ts'
import { DockerRefusedError } from '../../errors.ts'
import type { SessionInfo } from '../../shell/session.ts'
import type { InjectedFile, RunOptions } from '../executor.ts'
import { findMissingDirectories } from './directories.ts'
import { parseFileMode } from './file-mode.ts'

export interface InjectionTarget {
  readonly docker: DockerClient
  readonly containerId: string
  /** Of the job's shell: whose files they become, and where `~` is. */
  readonly info: SessionInfo
}

/** Mounted in the container's own view alone: what the engine writes there, a job never sees. */
const OUT_OF_REACH = /^\/(?:dev|proc|sys)\//

/** Directories on the way to a file, where there are none. */
const DIRECTORY_MODE = 0o755

/** @returns exit code: 1 when one could not be written; those before it are */
export async function injectContainerFiles(
  target: InjectionTarget,
  files: readonly InjectedFile[],
  { signal, onOutput }: RunOptions,
): Promise<number> {
  const { uid, gid, home } = target.info
  const entries: ArchiveEntry[] = []
  const said: string[] = []
  let badMode: string | undefined
  for (const { path, content, mode: text } of files) {
    said.push(`Injecting ${path} with file mode ${text}\n`)
    const mode = parseFileMode(text)
    if (mode === undefined) {
      badMode = text
      break
    }
    entries.push({ path: resolvePath(path, home), content, mode, uid, gid })
  }
  for (const line of said) await onOutput(line)
  const unreachable = entries.find(({ path }) => OUT_OF_REACH.test(path))
  if (unreachable !== undefined) {
    const reason = `the engine puts no files into ${unreachable.path.split('/', 2).join('/')}`
    const hint = 'Inject it elsewhere, and copy it by a command of the job.'
    await onOutput(`Failed to write the files: ${reason}\n`)
    await onOutput(`${hint}\n`)
    return 1
  }
  try {
    const directories = await missingDirectories(target, entries, signal)
    if (entries.length > 0) {
      await putArchive(target.docker, target.containerId, [...directories, ...entries], signal)
    }
  } catch (error) {
    if (!(error instanceof DockerRefusedError)) throw error
    await onOutput(`Failed to write the files: ${error.reason}\n`)
    await onOutput(`${error.hint}\n`)
    return 1
  }
  if (badMode === undefined) return 0
  await onOutput(`Failed to set file mode to ${badMode}\n`)
  return 1
}

/** `~` is the job's home, and relative paths start there. */
function resolvePath(path: string, home: string): string {
  const relative = path.startsWith('~/') ? path.slice(2) : path
  return posix.resolve('/', home, relative)
}

/**
 * Entries for the directories that have to be made. Existing ones get none: an entry would take
 * their owner and mode away, and a link to a directory would be refused.
 */
async function missingDirectories(
  { docker, containerId, info }: InjectionTarget,
  entries: readonly ArchiveEntry[],
  signal: AbortSignal,
): Promise<ArchiveEntry[]> {
  const paths = entries.map(({ path }) => path)
  const missing = await findMissingDirectories(docker, containerId, paths, signal)
  const { uid, gid } = info
  return missing.map((path) => ({ path, mode: DIRECTORY_MODE, uid, gid }))
}
