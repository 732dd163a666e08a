/**
 * Whom a container that has not started yet will run as, by the files that the engine itself goes by.
 *
 * @see https://docs.docker.com/reference/dockerfile/#user
 * @module
 */

import { getTar } from '../../docker/archive.ts'
import { inspectContainer } from '../../docker/containers.ts'
import type { SessionInfo } from '../../shell/facts.ts'
import { TarReader } from '../../tar/reader.ts'
import { type InspectOptions, inspectPaths } from './inspect-paths.ts'

/** Of a list of users; an image is not to be believed in everything. */
const MAX_LIST_BYTES = 1024 ** 2

/** A user or a group there is none of is root here: the engine tells when it starts the container. */
export async function findStartUser(where: InspectOptions): Promise<SessionInfo> {
  const { docker, containerId, signal } = where
  const { user, environment } = await inspectContainer(docker, containerId, signal)
  const [name = '', group] = (user || '0').split(':', 2)
  const [, , uid = name, primary = '0', , listedHome] = await findRow(where, '/etc/passwd', name)
  const [, , listed = group] = group ? await findRow(where, '/etc/group', group) : []
  const home = environment
    .findLast((variable) => variable.startsWith('HOME='))
    ?.slice('HOME='.length)
  return { uid: toId(uid), gid: toId(group ? listed : primary), home: home || listedHome || '/' }
}

/** Its fields; none when there is no such row. */
async function findRow(
  where: InspectOptions,
  list: string,
  key: string,
): Promise<readonly string[]> {
  const rows = (await readList(where, list)).split('\n').map((line) => line.split(':'))
  return rows.find(([name, , id]) => name === key || id === key) ?? []
}

/** @returns the empty string where an image has none */
async function readList(where: InspectOptions, path: string): Promise<string> {
  const { docker, containerId, signal } = where
  const found = (await inspectPaths([path], where)).get(path)
  if (found?.kind !== 'file') return ''
  const reader = new TarReader()
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of await getTar(docker, containerId, Buffer.from(found.place), signal)) {
    for (const event of reader.push(chunk)) if (event.type === 'data') parts.push(event.bytes)
    bytes += chunk.length
    if (bytes > MAX_LIST_BYTES) break
  }
  return Buffer.concat(parts).toString()
}

function toId(text: string | undefined): number {
  return /^\d+$/.test(text ?? '') ? Number(text) : 0
}
