/**
 * The files of a job that runs on this host.
 *
 * @module
 */

import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { fromLatin1, type JobFiles, type UnpackOptions } from '../../cache/job-files.ts'
import { CacheError } from '../../errors.ts'

const { O_NONBLOCK, O_RDONLY } = constants

export class HostFiles implements JobFiles {
  async exists(path: string): Promise<boolean> {
    return await lstat(Buffer.from(path, 'latin1')).then(
      () => true,
      () => false, // in a directory that cannot be searched it is as good as absent
    )
  }

  async *read(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    try {
      // Not to wait for the other end of a pipe: that would take one of Node's four threads.
      const file = await open(Buffer.from(path, 'latin1'), O_RDONLY | O_NONBLOCK)
      if (!(await file.stat()).isFile()) {
        await file.close()
        throw new Error('it is no file')
      }
      yield* file.createReadStream({ signal }) as AsyncIterable<Uint8Array>
    } catch (cause) {
      signal.throwIfAborted()
      throw new CacheError(`${fromLatin1(path)} cannot be read: ${(cause as Error).message}`, {
        hint: "Let the agent's user read it.",
        cause,
      })
    }
  }

  async *pack(path: string, name: string, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const { packHostPath } = await import('../../cache/archive/host-pack.ts')
    yield* packHostPath(path, name, signal)
  }

  async unpack(tar: AsyncIterable<Uint8Array>, options: UnpackOptions): Promise<string> {
    const { unpackToHost } = await import('../../cache/archive/host-unpack.ts')
    return await unpackToHost(tar, options)
  }
}
