/**
 * Files into a container, running or not, as a tar stream: the archive calls of the Engine API.
 *
 * @module
 */

import { Readable } from 'node:stream'
import { pack } from 'tar-stream'
import { type DockerClient, segment } from './client.ts'

export interface ArchiveEntry {
  /** Absolute, in the container. */
  readonly path: string
  /** Absent = a directory, which must not exist yet. */
  readonly content?: Uint8Array
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** Thousands of files on a busy disk. */
const TIMEOUT_MS = 120_000

/**
 * Writes entries in their order, as root, whoever the container runs as. Files that exist are
 * replaced; a file where a directory stands is refused, and so is the reverse.
 */
export async function putArchive(
  docker: DockerClient,
  containerId: string,
  entries: readonly ArchiveEntry[],
  signal?: AbortSignal,
): Promise<void> {
  await docker.call({
    action: 'write files into the container',
    method: 'PUT',
    path: `/containers/${segment(containerId)}/archive`,
    query: { path: '/', noOverwriteDirNonDir: true },
    body: packArchive(entries),
    headers: { 'content-type': 'application/x-tar' },
    signal,
    ok: [200],
    hints: {
      400: 'Check that no file is to stand where the container has a directory, or below a file.',
      500: 'Check that the container’s disk has room, and that no file is below another file.',
    },
    timeoutMs: TIMEOUT_MS,
  })
}

/** Whether something stands at this path; links on the way are followed, the last one is not. */
export async function pathExists(
  docker: DockerClient,
  containerId: string,
  path: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const { status } = await docker.call({
    action: `look for ${path} in the container`,
    method: 'HEAD',
    path: `/containers/${segment(containerId)}/archive`,
    query: { path },
    signal,
    ok: [200, 404],
  })
  return status === 200
}

/** The contents are not copied: they are in memory already, only the headers around them are made. */
export function packArchive(entries: readonly ArchiveEntry[]): Readable {
  const tar = pack()
  for (const { path, content, mode, uid, gid } of entries) {
    const name = path.replace(/^\/+/, '')
    if (content === undefined) tar.entry({ name, type: 'directory', mode, uid, gid })
    else tar.entry({ name, mode, uid, gid }, toBuffer(content))
  }
  tar.finalize()
  return Readable.from(tar, { objectMode: false })
}

function toBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
