/** Headers of archives, as tests write them. */

import { bytesOf } from '../../lib/files/byte-string.ts'
import type { TarEntry } from '../../lib/tar/header.ts'

/** One character of `name` and `target` stands for one byte. */
export type EntryText = Partial<Omit<TarEntry, 'name' | 'target'>> & {
  readonly name?: string
  readonly target?: string
}

export function tarEntry({ name = 'name', target = '', ...rest }: EntryText): TarEntry {
  return {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 1_600_000_000,
    ...rest,
    name: bytesOf(Buffer.from(name, 'latin1')),
    target: bytesOf(Buffer.from(target, 'latin1')),
  }
}
