/**
 * The file under a job's log: one descriptor for its writer and all its readers.
 *
 * @module
 */

import { fstatSync } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { JobLogError } from '../errors.ts'

export class JobLogFile {
  readonly path: string
  #handle: Promise<FileHandle> | undefined
  #users: number

  private constructor(path: string, handle?: FileHandle) {
    this.path = path
    this.#handle = handle === undefined ? undefined : Promise.resolve(handle)
    this.#users = handle === undefined ? 0 : 1
  }

  /**
   * @returns a new, empty file that only this user may read, already acquired once
   * @throws {JobLogError} when it exists or cannot be made
   */
  static async create(path: string): Promise<JobLogFile> {
    const handle = await open(path, 'wx+', 0o600).catch((cause: unknown) => {
      throw jobLogError('created', path, cause)
    })
    return new JobLogFile(path, handle)
  }

  /** @returns a file that is there, already acquired once */
  static async reopen(path: string): Promise<JobLogFile> {
    const handle = await open(path, 'r+').catch((cause: unknown) => {
      throw jobLogError('opened', path, cause)
    })
    return new JobLogFile(path, handle)
  }

  /**
   * Keeps the file open until the matching {@link release}; a finished log that nobody reads holds
   * no descriptor.
   *
   * @throws {JobLogError} when nobody had it open and it is gone
   */
  async acquire(): Promise<void> {
    this.#users += 1
    this.#handle ??= open(this.path, 'r')
    try {
      await this.#handle
    } catch (cause) {
      await this.release()
      throw jobLogError('read', this.path, cause)
    }
  }

  async release(): Promise<void> {
    this.#users -= 1
    if (this.#users > 0) return
    const handle = this.#handle
    this.#handle = undefined
    try {
      await (await handle)?.close()
    } catch {
      // Not opened: acquire has thrown. Not closed: each write was confirmed already.
    }
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true })
  }

  /**
   * Fewer bytes than asked for only at the end of the file. For those who acquired it.
   *
   * @param buffer at least that long, to read into
   */
  async read(
    position: number,
    length: number,
    buffer: Buffer = Buffer.allocUnsafe(length),
  ): Promise<Buffer> {
    try {
      const handle = await this.#opened()
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return buffer.subarray(0, filled)
    } catch (cause) {
      throw jobLogError('read', this.path, cause)
    }
  }

  /**
   * Puts bytes at the end. When they do not all fit, none of them stay: a reader of the file never
   * finds half a line in the middle.
   *
   * @param size where the end should be; another size means somebody else changed the file
   */
  async append(bytes: Uint8Array, size: number): Promise<void> {
    const handle = await this.#opened()
    const { nlink, size: found } = fstatSync(handle.fd)
    if (nlink === 0) throw changed(this.path, 'it was deleted')
    if (found !== size) throw changed(this.path, `its size is ${found} bytes instead of ${size}`)
    try {
      for (let written = 0; written < bytes.length; ) {
        const rest = bytes.length - written
        const { bytesWritten } = await handle.write(bytes, written, rest, size + written)
        written += bytesWritten
      }
    } catch (cause) {
      // Should this fail as well, the next append finds the wrong size and says so.
      await handle.truncate(size).catch(() => undefined)
      throw jobLogError('written', this.path, cause)
    }
  }

  async truncate(size: number): Promise<void> {
    const handle = await this.#opened()
    await handle.truncate(size).catch((cause: unknown) => {
      throw jobLogError('written', this.path, cause)
    })
  }

  async #opened(): Promise<FileHandle> {
    const handle = await this.#handle
    if (handle === undefined) throw new Error(`${this.path} is used without being acquired`)
    return handle
  }
}

function changed(path: string, what: string): JobLogError {
  return new JobLogError(`The job's log ${path} cannot be written: ${what}`, {
    hint: "Do not change files in the agent's state directory; run the job again.",
  })
}

const REASONS: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
  ENOSPC: ['the disk is full', 'Make room on that disk, or move the state directory.'],
  EDQUOT: ['the disk quota is used up', 'Make room in that quota, or move the state directory.'],
  EROFS: ['the file system is read-only', 'Mount it writable, or move the state directory.'],
  EACCES: ['permission denied', "Give the agent's user access to its state directory."],
  EPERM: ['permission denied', "Give the agent's user access to its state directory."],
  ENOENT: ['it is gone', "Do not change files in the agent's state directory."],
  EEXIST: ['it exists already', 'Remove it, or use another state directory.'],
  EMFILE: ['too many files are open', "Raise the agent's limit of open files."],
  ENFILE: ['too many files are open', "Raise the host's limit of open files."],
}

/** @param action completes the sentence "The job's log … cannot be …" */
export function jobLogError(action: string, path: string, cause: unknown): JobLogError {
  const { code = '', message = String(cause) } = cause as NodeJS.ErrnoException
  const [reason, hint] = REASONS[code] ?? [message, 'See what is wrong with that disk.']
  return new JobLogError(`The job's log ${path} cannot be ${action}: ${reason}`, { hint, cause })
}
