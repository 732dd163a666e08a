/**
 * The files of a job as a user of its container has them who is neither root nor the job's own: what
 * is read and written goes through the container's own `tar`, run as that user. So the kernel decides
 * what they may, and whatever they exchange meanwhile, they exchange for themselves alone.
 *
 * @module
 */

import { posix } from 'node:path'
import { type JobFiles, notKept, type UnpackOptions } from '../../cache/job-files.ts'
import type { DockerClient } from '../../docker/client.ts'
import { CacheError } from '../../errors.ts'
import { type ByteString, bytes, mapBytes } from '../../files/byte-string.ts'
import { TarReader } from '../../tar/reader.ts'
import { rewriteTar } from '../../tar/rewrite.ts'
import { type ContainerUser, runAs, UserProgramError } from './container-user.ts'
import { placeEntries } from './place-entries.ts'
import { quoteBytes } from './quote-bytes.ts'

interface Where {
  readonly docker: DockerClient
  readonly containerId: string
  readonly user: ContainerUser
}

/**
 * The engine has no way to end a program, and takes its output when nobody wants it any more. But its
 * input ends with the connection.
 */
const END_WITH_INPUT = `exec 3<&0
{ read -r -u 3; kill $tar; } >/dev/null 2>&1 & watch=$!
wait $tar
status=$?
kill $watch
exit $status`

export class UserFiles implements JobFiles {
  readonly #where: Where

  constructor(where: Where) {
    this.#where = where
  }

  async exists(path: ByteString, signal: AbortSignal): Promise<boolean> {
    const word = quoteBytes(path)
    const script = `[[ ! -e ${word} && ! -L ${word} ]] || echo yes`
    let found = false
    for await (const _ of runAs({ ...this.#where, script, signal })) found = true
    return found
  }

  async *read(path: ByteString, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const reader = new TarReader()
    for await (const chunk of this.#tar(path, '-h', signal)) {
      for (const event of reader.push(chunk)) {
        if (event.type === 'entry' && event.entry.type !== 'file') throw notKept(path)
        if (event.type === 'data') yield event.bytes
      }
    }
    reader.end()
  }

  async *pack(
    path: ByteString,
    name: ByteString,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void> {
    const base = memberOf(path)
    const rename = (found: ByteString) => bytes`${name}${found.slice(base.length)}`
    let count = 0
    yield* rewriteTar(this.#tar(path, '', signal), (entry) => {
      if (count++ === 0 && entry.type === 'other') throw notKept(path)
      if (entry.type === 'other') return undefined
      const target = entry.type === 'link' ? rename(entry.target) : entry.target
      return { ...entry, name: rename(entry.name), target }
    })
    if (count === 0) throw notKept(path) // a socket
  }

  async unpack(
    tar: AsyncIterable<Uint8Array>,
    { directory, owner, signal }: UnpackOptions,
  ): Promise<ByteString> {
    const { guard, input } = placeEntries(tar, { directory, owner })
    try {
      const script = 'exec tar -x -p -o -C / -f -'
      for await (const _ of runAs({ ...this.#where, script, input, signal }));
      return guard.root ?? bytes``
    } catch (error) {
      throw this.#explain(error)
    } finally {
      await input.return()
    }
  }

  async *#tar(
    path: ByteString,
    options: string,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void> {
    const directory = path.endsWith('/') ? path : mapBytes(path, posix.dirname)
    const script = `cd -- ${quoteBytes(directory)} || exit
tar -c ${options} -f - ${quoteBytes(memberOf(path))} & tar=$!
${END_WITH_INPUT}`
    try {
      yield* runAs({ ...this.#where, script, signal })
    } catch (error) {
      throw this.#explain(error)
    }
  }

  #explain(error: unknown): unknown {
    if (!(error instanceof UserProgramError)) return error
    const { uid } = this.#where.user
    if (error.isMissing) {
      return new CacheError(`The image has no tar, which user ${uid} needs for this`, {
        hint: "Use the cache as the job's own user or as root, or an image that has it.",
        cause: error,
      })
    }
    return new CacheError(`User ${uid} of the container cannot do this: ${error.message}`, {
      hint: 'Change who owns the files, or their modes.',
      cause: error,
    })
  }
}

/** As an argument of tar, and as tar names it: never anything that looks like an option. */
function memberOf(path: ByteString): ByteString {
  return path.endsWith('/') ? bytes`.` : bytes`./${mapBytes(path, (it) => posix.basename(it))}`
}
