/**
 * From a running job to a person in one of its containers, which may still have to start.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { DockerClient } from '../../docker/client.ts'
import { containerHasEnded, containerRuns } from '../../docker/containers.ts'
import { ContainerError } from '../../errors.ts'
import type { AttachOptions, AttachTarget, NamedContainer } from '../kind.ts'
import { enterContainer } from './enter-container.ts'

const POLL_MS = 250

/** One dot for so many looks. */
const LOOKS_PER_DOT = 4

/** As docker shows it. */
const SHORT_ID = 12

/** @throws {ContainerError} when the job has no such container, or it has ended */
export async function attachToContainer(
  target: AttachTarget,
  options: AttachOptions,
): Promise<number> {
  const [main = '', ...others] = target.containerNames
  const { container = main, command, environment, standard, signal } = options
  if (container !== main && !others.includes(container)) {
    throw new ContainerError(`Job "${target.jobId}" has no container "${container}"`, {
      hint: `It has: ${[main, ...others].join(', ')}.`,
    })
  }
  const docker = new DockerClient(target.dockerSocketPath)
  try {
    const { id } = await awaitContainer(docker, target, container, options)
    const shell = container === main ? 'bash' : 'sh'
    const { TERM: term } = environment
    return await enterContainer(docker, {
      ...{ containerId: id, shell, command },
      ...{ term, standard, signal },
    })
  } finally {
    await docker.close()
  }
}

/**
 * Until that container runs. Ends with the job at the latest.
 *
 * @see lib/access/README.md: the text is fixed
 */
async function awaitContainer(
  docker: DockerClient,
  target: AttachTarget,
  name: string,
  { signal, standard: { stderr: output } }: AttachOptions,
): Promise<NamedContainer> {
  let looks = 0
  try {
    for (;;) {
      const container = (await target.listContainers()).find((it) => it.name === name)
      if (container !== undefined && (await containerRuns(docker, container.id, signal))) {
        return container
      }
      if (container !== undefined && (await containerHasEnded(docker, container.id, signal))) {
        throw new ContainerError(`Container "${name}" has ended`, {
          hint: `See its output: docker logs ${container.id.slice(0, SHORT_ID)}`,
        })
      }
      if (looks === 0) output.write('Waiting for the container to start up')
      if (looks % LOOKS_PER_DOT === 0) output.write('.')
      looks++
      await sleep(POLL_MS, undefined, { signal })
    }
  } finally {
    if (looks > 0) output.write('\n')
  }
}
