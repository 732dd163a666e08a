/**
 * The store a job's variables ask for.
 *
 * @module
 */

import { access, constants } from 'node:fs/promises'
import { CacheError } from '../errors.ts'
import { makeDirectory } from '../files/make-directory.ts'
import { CACHE_BACKENDS } from './backends.ts'
import { DirectoryStore } from './directory-store.ts'
import type { CacheStore } from './store.ts'
import type { CacheConfig, StoreContext } from './store-context.ts'

/** @throws {CacheError} when the variables do not add up, or what they name cannot be used */
export async function openStore(context: StoreContext): Promise<CacheStore> {
  const name = context.variables['SEMAPHORE_CACHE_BACKEND']
  if (name === undefined) return await openDirectory(context.config)
  const backend = CACHE_BACKENDS.get(name)
  if (backend !== undefined) return await backend.open(context)
  const names = [...CACHE_BACKENDS.keys()].join(' or ')
  throw new CacheError(`There is no cache backend '${name}'`, {
    hint: `Set SEMAPHORE_CACHE_BACKEND to ${names}, or unset it for the cache on the agent's host.`,
  })
}

async function openDirectory({
  directories,
  project,
  limitBytes,
}: CacheConfig): Promise<CacheStore> {
  const directory = await firstUsable(directories)
  return new DirectoryStore({ directory, project, limitBytes })
}

async function firstUsable(directories: readonly string[]): Promise<string> {
  const reasons: string[] = []
  for (const directory of directories) {
    try {
      await makeDirectory(directory, 0o700)
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
