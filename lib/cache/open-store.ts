/**
 * The store a job's variables ask for; what it needs is loaded only then.
 *
 * @module
 */

import { access, constants, mkdir } from 'node:fs/promises'
import { CacheError } from '../errors.ts'
import { DirectoryStore } from './directory-store.ts'
import type { CacheStore } from './store.ts'

/** Where the cache is, unless the job's variables say something else. */
export interface CachePlace {
  /** The first that can be written to is taken. */
  readonly directories: readonly string[]
  readonly limitBytes: number
}

/**
 * @param variables of the job, as text; empty ones left out
 * @throws {CacheError} when they do not add up, or no directory can be used
 */
export async function openStore(
  variables: Readonly<Record<string, string>>,
  { directories, limitBytes }: CachePlace,
): Promise<CacheStore> {
  const backend = variables['SEMAPHORE_CACHE_BACKEND'] ?? ''
  if (backend !== '') {
    throw new CacheError(`There is no cache backend '${backend}'`, {
      hint: 'Unset SEMAPHORE_CACHE_BACKEND for the cache on the host of the agent.',
    })
  }
  const project = variables['SEMAPHORE_PROJECT_ID'] ?? ''
  return new DirectoryStore({ directory: await firstUsable(directories), project, limitBytes })
}

async function firstUsable(directories: readonly string[]): Promise<string> {
  const reasons: string[] = []
  for (const directory of directories) {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await access(directory, constants.W_OK | constants.X_OK)
      return directory
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new CacheError(`No directory can be used for the cache: ${reasons.join('; ')}`, {
    hint: "Name one that the agent's user can write to with --cache-dir.",
  })
}
