/**
 * What jobs of an agent have left on the engine: its process was killed, or the engine was away
 * when it was time to clear up.
 *
 * @module
 */

import { throwFailures } from '../../async/settle-all.ts'
import { DockerClient } from '../../docker/client.ts'
import { findContainers, removeContainer } from '../../docker/containers.ts'
import { findNetworks, removeNetwork } from '../../docker/networks.ts'
import type { ReclaimOptions } from '../kind.ts'
import { INSTANCE_LABEL, JOB_LABEL } from './job-objects.ts'

/**
 * Removes containers, their anonymous volumes, and networks. Repeatable.
 *
 * @returns how many there were
 * @throws {AgentError} the engine's own, or an AggregateError of several
 */
export async function removeOrphans(options: ReclaimOptions): Promise<number> {
  const docker = new DockerClient(options.socketPath)
  try {
    const containers = await findContainers(docker, INSTANCE_LABEL, options.instanceId)
    const networks = await findNetworks(docker, INSTANCE_LABEL, options.instanceId)
    const isOrphan = ({ labels }: (typeof containers)[number]) =>
      !options.isActive(labels[JOB_LABEL] ?? '')
    const removed = await removeEach(containers.filter(isOrphan), ({ name }) =>
      removeContainer(docker, name),
    )
    // Only then: a network that still has containers is refused.
    return (
      removed +
      (await removeEach(networks.filter(isOrphan), ({ name }) => removeNetwork(docker, name)))
    )
  } finally {
    await docker.close()
  }
}

async function removeEach<T>(
  objects: readonly T[],
  remove: (object: T) => Promise<void>,
): Promise<number> {
  const results = await Promise.allSettled(objects.map(remove))
  throwFailures(results, 'Not all containers and networks of earlier jobs could be removed')
  return objects.length
}
