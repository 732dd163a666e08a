/**
 * Files into a container, running or not, as a tar stream: the archive calls of the Engine API.
 *
 * @module
 */

import { bytesOf } from '../files/byte-string.ts'
import { type ArchiveEntry, packArchive } from '../tar/pack.ts'
import { type DockerClient, segment } from './client.ts'

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
      500: 'Check that the container’s disk has room and is not read-only, and that no file is to stand where the container has a directory, or below a file.',
    },
    timeoutMs: TIMEOUT_MS,
  })
}

export interface PathStat {
  readonly isDirectory: boolean
  readonly isFile: boolean
  readonly isLink: boolean
  /** Where a link leads, as far as that can be told; of everything else empty, or (Podman) its own path. */
  readonly linkTarget: string
}

/**
 * What stands at this path; links on the way are followed, the last one is not.
 *
 * @param path absolute; any bytes
 * @returns undefined when nothing stands there
 */
export async function statPath(
  docker: DockerClient,
  containerId: string,
  path: Uint8Array,
  signal?: AbortSignal,
): Promise<PathStat | undefined> {
  const { status, headers } = await docker.call({
    action: `look for ${Buffer.from(path)} in the container`,
    method: 'HEAD',
    path: archivePath(containerId, path),
    signal,
    ok: [200, 404],
  })
  if (status !== 200) return undefined
  const text = Buffer.from(String(headers['x-docker-container-path-stat']), 'base64').toString()
  const { mode, linkTarget } = JSON.parse(text) as { mode: number; linkTarget: string }
  return {
    isDirectory: (mode & GO_MODE_DIRECTORY) !== 0,
    isFile: (mode & GO_MODE_TYPE) === 0,
    isLink: (mode & GO_MODE_LINK) !== 0,
    linkTarget,
  }
}

/**
 * What stands at this path as a tar, every name of which begins with the last part of the path. A
 * link is packed as one.
 *
 * The engine locks the container until the last byte: it can be neither inspected nor killed.
 *
 * @throws {DockerRefusedError} with status 404 when nothing stands there
 */
export async function getTar(
  docker: DockerClient,
  containerId: string,
  path: Uint8Array,
  signal: AbortSignal,
): Promise<AsyncGenerator<Uint8Array, void>> {
  return await docker.stream({
    action: `read ${Buffer.from(path)} in the container`,
    method: 'GET',
    path: archivePath(containerId, path),
    signal,
    ok: [200],
    timeoutMs: TIMEOUT_MS,
    stallMs: TIMEOUT_MS,
  })
}

/**
 * Unpacks a tar at the container's root, as root. Files that exist are replaced; one where a directory
 * stands is refused, and so is the reverse; links among the parents are followed. Locks the container as {@link getTar} does.
 *
 * @param tar its pieces may be filled again as {@link Call.body} allows
 * @param signal its only limit: how long the tar takes is up to whoever makes it
 */
export async function putTar(
  docker: DockerClient,
  containerId: string,
  tar: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await docker.call({
    action: 'write files into the container',
    method: 'PUT',
    path: `${archivePath(containerId, Buffer.from('/'))}&noOverwriteDirNonDir=true`,
    body: tar,
    headers: { 'content-type': 'application/x-tar' },
    signal,
    ok: [200],
    hints: { 500: 'Check that the container’s disk has room.' },
    timeoutMs: 0,
  })
}

/** The bit for a directory. @see https://pkg.go.dev/io/fs#FileMode */
const GO_MODE_DIRECTORY = 2 ** 31

const GO_MODE_LINK = 2 ** 27

/** The bits of everything that is no regular file: also pipes, sockets, devices, whatever else. */
const GO_MODE_TYPE =
  GO_MODE_DIRECTORY + GO_MODE_LINK + 2 ** 26 + 2 ** 25 + 2 ** 24 + 2 ** 21 + 2 ** 19

/** By hand: a query made of strings could only carry UTF-8. */
function archivePath(containerId: string, path: Uint8Array): string {
  const encoded = bytesOf(path).replace(
    /[^\w./-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return `/containers/${segment(containerId)}/archive?path=${encoded}`
}
