/**
 * The events section of the Engine API: what has happened to a container.
 *
 * @module
 */

import type { DockerClient } from './client.ts'

/** The engine hears of it from the kernel a moment after the process is gone. */
const LATE_MS = 1_000

/** Whether the kernel has killed a process of the container, since then, for want of memory. */
export async function ranOutOfMemory(
  docker: DockerClient,
  id: string,
  since: Date,
): Promise<boolean> {
  const events = await docker.stream({
    action: `read the events of container ${id.slice(0, 12)}`,
    method: 'GET',
    path: '/events',
    query: {
      since: since.getTime() / 1_000,
      until: (Date.now() + LATE_MS) / 1_000,
      filters: JSON.stringify({ container: [id], event: ['oom'] }),
    },
    ok: [200],
  })
  for await (const event of events) if (event.length > 0) return true
  return false
}
