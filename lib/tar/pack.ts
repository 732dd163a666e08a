/**
 * Files that are in memory as a tar: what the agent itself writes into a container.
 *
 * @module
 */

import { Readable } from 'node:stream'
import { pack } from 'tar-stream'

export interface ArchiveEntry {
  /** Absolute, in the container. */
  readonly path: string
  /** Absent = a directory, which must not exist yet. */
  readonly content?: Uint8Array
  /** A pipe by name, without content. */
  readonly fifo?: true
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** The contents are not copied: they are in memory already, only the headers around them are made. */
export function packArchive(entries: readonly ArchiveEntry[]): Readable {
  const tar = pack()
  for (const { path, content, fifo, mode, uid, gid } of entries) {
    const name = path.replace(/^\/+/, '')
    const header = { name, mode: mode | MODE_IS_GIVEN, uid, gid, ...extensionFor(uid, gid) }
    if (fifo) tar.entry({ ...header, type: 'fifo' })
    else if (content === undefined) tar.entry({ ...header, type: 'directory' })
    else tar.entry({ ...header, type: 'file' }, toBuffer(content))
  }
  tar.finalize()
  return Readable.from(gather(tar as AsyncIterable<Uint8Array>), { objectMode: false })
}

/** tar-stream has room for six octal digits, and would write 262143 in place of any larger number. */
const MAX_ID = 0o777777

/** Users of a directory service or an OpenShift project have numbers of a thousand million. */
function extensionFor(uid: number, gid: number): { pax?: { uid: string; gid: string } } {
  if (uid <= MAX_ID && gid <= MAX_ID) return {}
  return { pax: { uid: String(uid), gid: String(gid) } }
}

/** A bit that tar-stream masks out again: without any it takes the mode for one that was left out. */
const MODE_IS_GIVEN = 0o100000

/** A chunk for each header is a write for each: 5,000 small files cost a third of that when gathered. */
const CHUNK_BYTES = 64 * 1024

/** Small chunks together; large ones as they are. */
async function* gather(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let parts: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    parts.push(chunk)
    bytes += chunk.length
    if (bytes < CHUNK_BYTES) continue
    yield* chunk.length < CHUNK_BYTES ? [Buffer.concat(parts)] : parts
    parts = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(parts)
}

function toBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
