/**
 * The terminal of a container, as a plain stream both ways.
 *
 * @module
 */

import type { Duplex } from 'node:stream'
import { type DockerClient, segment } from './client.ts'
import { REMOVED_HINTS } from './containers.ts'

/** Attach before the start: what the container prints until then is lost otherwise. */
export async function attachContainer(
  docker: DockerClient,
  id: string,
  signal?: AbortSignal,
): Promise<Duplex> {
  return await docker.upgrade({
    action: `attach to container ${id.slice(0, 12)}`,
    method: 'POST',
    path: `/containers/${segment(id)}/attach`,
    query: { stream: true, stdin: true, stdout: true, stderr: true },
    signal,
    ok: [101],
    hints: REMOVED_HINTS,
  })
}
