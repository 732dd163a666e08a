/**
 * The store a job's variables ask for; what it needs is loaded only then.
 *
 * @module
 */

import { access, constants } from 'node:fs/promises'
import { CacheError } from '../errors.ts'
import { makeDirectory } from '../make-directory.ts'
import { DirectoryStore } from './directory-store.ts'
import { absolutePath, type JobFiles, toLatin1 } from './job-files.ts'
import type { CacheStore } from './store.ts'

/** Where the cache of this host's jobs is, unless their variables say something else. */
export interface CacheHost {
  /** The first that can be written to is taken. */
  readonly directories: readonly string[]
  /** Of a directory, on this host or on an SFTP server. */
  readonly limitBytes: number
  /** The agent's, for the way to a server when the job says nothing about it. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Where a job's cache is. */
export interface CachePlace extends CacheHost {
  /** Where access is the agent's to give: as the job's request names it. Empty = none. */
  readonly project: string
}

/** What there is of the job to find its store by. */
interface StoreSeeker {
  /** As text; empty ones left out. */
  readonly variables: Readonly<Record<string, string>>
  /** Latin1; for relative paths. */
  readonly directory: string
  readonly files: JobFiles
  readonly place: CachePlace
  readonly signal: AbortSignal
}

/** An SSH key has 3 KB, a known_hosts file with every host of a company less than this. */
const MAX_FILE_BYTES = 1_048_576

/** @throws {CacheError} when the variables do not add up, or what they name cannot be used */
export async function openStore(seeker: StoreSeeker): Promise<CacheStore> {
  const { variables, place } = seeker
  const backend = variables['SEMAPHORE_CACHE_BACKEND']
  switch (backend) {
    case undefined:
      return await openDirectory(place)
    case 's3': {
      const { parseS3Settings } = await import('./s3/settings.ts')
      const settings = parseS3Settings(variables, place)
      const { S3Store } = await import('./s3/store.ts')
      return new S3Store(settings)
    }
    case 'sftp':
      return await openSftp(seeker)
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
}: CachePlace): Promise<CacheStore> {
  const directory = await firstUsable(directories)
  return new DirectoryStore({ directory, project, limitBytes })
}

async function openSftp(seeker: StoreSeeker): Promise<CacheStore> {
  const { variables, place } = seeker
  const { parseSftpAddress } = await import('./sftp/settings.ts')
  const address = parseSftpAddress(variables)
  const privateKey = await readSmall(seeker, address.privateKeyPath)
  const knownHosts = await readKnownHosts(seeker)
  const { SftpStore } = await import('./sftp/store.ts')
  return new SftpStore({ ...address, privateKey, knownHosts, limitBytes: place.limitBytes })
}

async function readKnownHosts(seeker: StoreSeeker): Promise<string> {
  const { variables, files, signal } = seeker
  const path = `${variables['HOME'] ?? ''}/.ssh/known_hosts`
  if (!(await files.exists(toLatin1(path), signal))) return ''
  return (await readSmall(seeker, path)).toString()
}

async function readSmall({ directory, files, signal }: StoreSeeker, path: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of files.read(absolutePath(directory, toLatin1(path)), signal)) {
    bytes += chunk.length
    if (bytes > MAX_FILE_BYTES) {
      throw new CacheError(`The file ${path} is larger than a key or a list of hosts may be`, {
        hint: 'Correct SEMAPHORE_CACHE_PRIVATE_KEY_PATH.',
      })
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
