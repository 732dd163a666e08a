/**
 * What decides where a job's cache is.
 *
 * @module
 */

import type { ByteString } from '../files/byte-string.ts'
import type { JobFiles } from './job-files.ts'

/** The cache of the jobs on this host, unless their variables name another one. */
export interface CacheDefaults {
  /** The first writable one is used. */
  readonly directories: readonly string[]
  /** Of a directory, on this host or on an SFTP server. */
  readonly limitBytes: number
  /** The agent's, for the way to a server when the job says nothing about it. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The cache of one job. */
export interface CacheConfig extends CacheDefaults {
  /** Where access is the agent's to give: as the job's request names it. Empty = none. */
  readonly project: string
}

/** What of a job decides on its store. */
export interface StoreContext {
  /** As text; empty ones left out. */
  readonly variables: Readonly<Record<string, string>>
  /** For relative paths. */
  readonly directory: ByteString
  readonly files: JobFiles
  readonly config: CacheConfig
  readonly signal: AbortSignal
}
