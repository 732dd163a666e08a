/**
 * The files of a job that runs on this host.
 *
 * @module
 */

import { createReadStream } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { fromLatin1, type JobFiles, type UnpackOptions } from '../cache/job-files.ts'
import { CacheError } from '../errors.ts'

export class HostFiles implements JobFiles {
  async exists(path: string): Promise<boolean> {
    return await lstat(Buffer.from(path, 'latin1')).then(
      () => true,
      () => false, // in a directory that cannot be searched it is as good as absent
    )
  }

  async *read(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    try {
      yield* createReadStream(Buffer.from(path, 'latin1'), { signal }) as AsyncIterable<Uint8Array>
    } catch (cause) {
      signal.throwIfAborted()
      throw new CacheError(`${fromLatin1(path)} cannot be read: ${(cause as Error).message}`, {
        hint: "Make it readable for the agent's user.",
        cause,
      })
    }
  }

  async *pack(path: string, name: string, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const { packHostPath } = await import('../cache/archive/host-pack.ts')
    yield* packHostPath(path, name, signal)
  }

  async unpack(tar: AsyncIterable<Uint8Array>, options: UnpackOptions): Promise<string> {
    const { unpackToHost } = await import('../cache/archive/host-unpack.ts')
    return await unpackToHost(tar, options)
  }
}
