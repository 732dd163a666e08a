/**
 * The files of a job that runs on this host.
 *
 * @module
 */

import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import type { JobFiles, UnpackOptions } from '../../cache/job-files.ts'
import { CacheError } from '../../errors.ts'
import { type ByteString, bufferOf, decodeBytes } from '../../files/byte-string.ts'

const { O_NONBLOCK, O_RDONLY } = constants

export class HostFiles implements JobFiles {
  async exists(path: ByteString): Promise<boolean> {
    return await lstat(bufferOf(path)).then(
      () => true,
      () => false, // in a directory that cannot be searched it is as good as absent
    )
  }

  async *read(path: ByteString, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    try {
      // Not to wait for the other end of a pipe: that would take one of Node's four threads.
      const file = await open(bufferOf(path), O_RDONLY | O_NONBLOCK)
      if (!(await file.stat()).isFile()) {
        await file.close()
        throw new Error('it is not a file')
      }
      yield* file.createReadStream({ signal }) as AsyncIterable<Uint8Array>
    } catch (cause) {
      signal.throwIfAborted()
      throw new CacheError(`${decodeBytes(path)} cannot be read: ${(cause as Error).message}`, {
        hint: "Make it readable for the agent's user.",
        cause,
      })
    }
  }

  async *pack(
    path: ByteString,
    name: ByteString,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void> {
    const { packHostPath } = await import('../../cache/archive/host-pack.ts')
    yield* packHostPath(path, name, signal)
  }

  async unpack(tar: AsyncIterable<Uint8Array>, options: UnpackOptions): Promise<ByteString> {
    const { unpackToHost } = await import('../../cache/archive/host-unpack.ts')
    return await unpackToHost(tar, options)
  }
}
