/**
 * Which directories on the way to a job's files have to be made in its main container.
 *
 * @module
 */

import { posix } from 'node:path'
import { pathExists } from '../../docker/archive.ts'
import type { DockerClient } from '../../docker/client.ts'
import { runExec } from '../../docker/exec.ts'

/** A question to the engine takes it 3 ms, one to a shell in the container 80 ms and no more for a thousand. */
const MAX_QUESTIONS = 20

/** Of one exec: the kernel takes 2 MiB of arguments and environment, the engine keeps them in memory. */
const MAX_ARGUMENT_BYTES = 256 * 1024

/** A digit for each path: 0 for one at which something stands, if only a link that leads nowhere. */
const LOOK_SCRIPT = 'for path; do [[ -e $path || -L $path ]]; found+=$?; done; printf %s "$found"'

/**
 * @param paths absolute and normal, of files
 * @returns the directories that are not there, outermost first
 */
export async function findMissingDirectories(
  docker: DockerClient,
  containerId: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const directories = [...parentsOf(paths)].sort()
  const missing = new Set<string>()
  const ask = directories.length > MAX_QUESTIONS ? askShell : askEngine
  for (const batch of batchesOf(directories)) {
    const found = await ask(docker, containerId, batch, signal)
    for (const [i, path] of batch.entries()) if (!found[i]) missing.add(path)
  }
  return [...missing]
}

function parentsOf(paths: readonly string[]): ReadonlySet<string> {
  const directories = new Set<string>()
  for (const path of paths) {
    let directory = posix.dirname(path)
    while (directory !== '/' && !directories.has(directory)) {
      directories.add(directory)
      directory = posix.dirname(directory)
    }
  }
  return directories
}

function batchesOf(directories: readonly string[]): string[][] {
  const batches: string[][] = []
  let room = 0
  for (const directory of directories) {
    const bytes = Buffer.byteLength(directory) + 1
    if (bytes > room) {
      batches.push([])
      room = MAX_ARGUMENT_BYTES
    }
    batches.at(-1)?.push(directory)
    room -= bytes
  }
  return batches
}

async function askEngine(
  docker: DockerClient,
  containerId: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<readonly boolean[]> {
  return await Promise.all(paths.map((path) => pathExists(docker, containerId, path, signal)))
}

/** As root: the job's user may not be allowed to look everywhere. */
async function askShell(
  docker: DockerClient,
  containerId: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<readonly boolean[]> {
  const command = ['bash', '-p', '-c', LOOK_SCRIPT, 'look', ...paths]
  const { output } = await runExec(docker, containerId, { command, user: '0', signal })
  return [...output].map((digit) => digit === '0')
}
