/**
 * The stores that a job can choose by `SEMAPHORE_CACHE_BACKEND`: a new one is a folder and an entry
 * here. What it needs is loaded when a job uses it.
 *
 * @module
 */

import type { CacheStore } from './store.ts'
import type { StoreContext } from './store-context.ts'

interface CacheBackend {
  /** Those of the job's variables that it reads, beside {@link COMMON_VARIABLES}. */
  readonly variables: readonly string[]
  /** @throws {CacheError} when the variables do not add up, or what they name cannot be used */
  readonly open: (context: StoreContext) => Promise<CacheStore>
}

export const CACHE_BACKENDS: ReadonlyMap<string, CacheBackend> = new Map([
  [
    's3',
    {
      variables: [
        'SEMAPHORE_CACHE_S3_BUCKET',
        'SEMAPHORE_CACHE_S3_URL',
        'SEMAPHORE_CACHE_S3_KEY',
        'SEMAPHORE_CACHE_S3_SECRET',
        'AWS_ACCESS_KEY_ID',
        'AWS_SECRET_ACCESS_KEY',
        'AWS_SESSION_TOKEN',
        'AWS_REGION',
        'AWS_DEFAULT_REGION',
        'HTTP_PROXY',
        'HTTPS_PROXY',
        'NO_PROXY',
        'http_proxy',
        'https_proxy',
        'no_proxy',
      ],
      open: async (context) => {
        const { parseS3Settings } = await import('./s3/settings.ts')
        const settings = parseS3Settings(context.variables, context.config)
        const { S3Store } = await import('./s3/store.ts')
        return new S3Store(settings)
      },
    },
  ],
  [
    'sftp',
    {
      variables: [
        'SEMAPHORE_CACHE_URL',
        'SEMAPHORE_CACHE_USERNAME',
        'SEMAPHORE_CACHE_PRIVATE_KEY_PATH',
      ],
      open: async (context) => {
        const { openSftpStore } = await import('./sftp/open.ts')
        return await openSftpStore(context)
      },
    },
  ],
])

const COMMON_VARIABLES: readonly string[] = [
  'HOME',
  'CACHE_FAIL_ON_ERROR',
  'SEMAPHORE_PROJECT_ID',
  'SEMAPHORE_GIT_BRANCH',
  'SEMAPHORE_GIT_PR_BRANCH',
  'SEMAPHORE_CACHE_BACKEND',
]

/** All that the command `cache` sends: which store, which lock-file keys, how to fail. */
export const CACHE_VARIABLES: readonly string[] = [
  ...COMMON_VARIABLES,
  ...[...CACHE_BACKENDS.values()].flatMap(({ variables }) => variables),
]
