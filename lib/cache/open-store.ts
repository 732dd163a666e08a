/**
 * The store a job's variables ask for; what it needs is loaded only then.
 *
 * @module
 */

import { access, constants } from 'node:fs/promises'
import { CacheError } from '../errors.ts'
import { type ByteString, encodeBytes } from '../files/byte-string.ts'
import { makeDirectory } from '../files/make-directory.ts'
import { DirectoryStore } from './directory-store.ts'
import { absolutePath, type JobFiles } from './job-files.ts'
import type { CacheStore } from './store.ts'

/** The cache of the jobs on this host, unless their variables name another one. */
export interface CacheDefaults {
  /** The first that can be written to is taken. */
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
interface StoreContext {
  /** As text; empty ones left out. */
  readonly variables: Readonly<Record<string, string>>
  /** For relative paths. */
  readonly directory: ByteString
  readonly files: JobFiles
  readonly config: CacheConfig
  readonly signal: AbortSignal
}

/** An SSH key has 3 KB, a known_hosts file with every host of a company less than this. */
const MAX_FILE_BYTES = 1_048_576

/** @throws {CacheError} when the variables do not add up, or what they name cannot be used */
export async function openStore(context: StoreContext): Promise<CacheStore> {
  const { variables, config } = context
  const backend = variables['SEMAPHORE_CACHE_BACKEND']
  switch (backend) {
    case undefined:
      return await openDirectory(config)
    case 's3': {
      const { parseS3Settings } = await import('./s3/settings.ts')
      const settings = parseS3Settings(variables, config)
      const { S3Store } = await import('./s3/store.ts')
      return new S3Store(settings)
    }
    case 'sftp':
      return await openSftp(context)
    default:
      throw new CacheError(`There is no cache backend '${backend}'`, {
        hint: "Set SEMAPHORE_CACHE_BACKEND to s3 or sftp, or unset it for the cache on the agent's host.",
      })
  }
}

async function openDirectory({
  directories,
  project,
  limitBytes,
}: CacheConfig): Promise<CacheStore> {
  const directory = await firstUsable(directories)
  return new DirectoryStore({ directory, project, limitBytes })
}

async function openSftp(context: StoreContext): Promise<CacheStore> {
  const { variables, config } = context
  const { parseSftpAddress } = await import('./sftp/settings.ts')
  const address = parseSftpAddress(variables)
  const privateKey = await readSmall(context, address.privateKeyPath)
  const knownHosts = await readKnownHosts(context)
  const { SftpStore } = await import('./sftp/store.ts')
  return new SftpStore({ ...address, privateKey, knownHosts, limitBytes: config.limitBytes })
}

async function readKnownHosts(context: StoreContext): Promise<string> {
  const { variables, files, signal } = context
  const path = `${variables['HOME'] ?? ''}/.ssh/known_hosts`
  if (!(await files.exists(encodeBytes(path), signal))) return ''
  return (await readSmall(context, path)).toString()
}

async function readSmall(
  { directory, files, signal }: StoreContext,
  path: string,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of files.read(absolutePath(directory, encodeBytes(path)), signal)) {
    bytes += chunk.length
    if (bytes > MAX_FILE_BYTES) {
      throw new CacheError(
        `The file ${path} is too large for a private key or a known_hosts file`,
        {
          hint: 'Correct SEMAPHORE_CACHE_PRIVATE_KEY_PATH.',
        },
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
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
