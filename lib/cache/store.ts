/**
 * Where archives are kept: a directory of this host, S3 or SFTP, behind one contract.
 *
 * @module
 */

/** Keys are text, free of slashes. */
export interface StoredKey {
  readonly key: string
  readonly bytes: number
  /** Unix milliseconds. */
  readonly storedAt: number
}

export interface Usage {
  readonly usedBytes: number
  /** Absent = without a limit of its own. */
  readonly freeBytes?: number | undefined
}

/** All methods reject with a {@link CacheError} for what the store's owner or the job can mend. */
export interface CacheStore {
  /** Newest first. */
  list(signal: AbortSignal): Promise<readonly StoredKey[]>

  has(key: string, signal: AbortSignal): Promise<boolean>

  /**
   * Keeps an archive under a new key; until it is complete nobody sees any of it.
   *
   * @returns its bytes; undefined when somebody else has stored the key meanwhile
   */
  store(
    key: string,
    archive: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<number | undefined>

  /** The archive as it was stored, and its bytes; undefined when there is no such key. */
  open(
    key: string,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly archive: AsyncIterable<Uint8Array> } | undefined>

  /** A key that is not there is no error. */
  delete(key: string, signal: AbortSignal): Promise<void>

  clear(signal: AbortSignal): Promise<void>

  usage(signal: AbortSignal): Promise<Usage>

  close(): Promise<void>
}
