/**
 * Lets a job whose container does not run as root use the engine's socket, by the socket's group.
 *
 * @module
 */

import { stat } from 'node:fs/promises'
import type { DockerClient } from '../../docker/client.ts'
import { securityOptions } from '../../docker/system.ts'
import { DockerRefusedError } from '../../errors.ts'

/** A socket takes both to connect. */
const GROUP_READ_AND_WRITE = 0o060

/**
 * @param user as the request or the image has it: `name`, `uid` or `uid:gid`
 * @returns ids of groups for the container's processes
 */
export async function findSocketGroups(
  docker: DockerClient,
  socketPath: string,
  user: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (/^(?:root|0*)(?::|$)/.test(user)) return []
  const socket = await stat(socketPath).catch(() => undefined) // the engine's host is another one
  if (socket === undefined) return []
  if ((socket.mode & GROUP_READ_AND_WRITE) !== GROUP_READ_AND_WRITE) return []

  const options = await securityOptions(docker, signal).catch((error: unknown) => {
    if (error instanceof DockerRefusedError) return [] // a proxy that lets through what jobs need
    throw error
  })
  const has = (name: string) => options.some((option) => option.split(',').includes(`name=${name}`))
  // Of a rootless engine: its user's own group, which is root's in its containers.
  if (has('rootless')) return ['0']
  // Containers' groups are others than the host's, and none of them is the socket's.
  if (has('userns')) return []
  return [String(socket.gid)]
}
