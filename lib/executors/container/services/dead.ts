/**
 * Services that have ended while their job was still running: often the reason why it failed.
 *
 * @module
 */

import type { DockerClient } from '../../../docker/client.ts'
import { inspectContainer, lastLines } from '../../../docker/containers.ts'
import type { NamedContainer } from '../../kind.ts'

/** @returns a line for each, with its last words */
export async function describeDead(
  docker: DockerClient,
  services: readonly NamedContainer[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const lines = await Promise.all(services.map((service) => describe(docker, service, signal)))
  return lines.filter((line) => line !== undefined)
}

async function describe(
  docker: DockerClient,
  { name, id }: NamedContainer,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { running, exitCode, outOfMemory } = await inspectContainer(docker, id, signal)
  if (running) return undefined
  const reason = outOfMemory ? ', since it ran out of memory' : ''
  const said = Buffer.from(await lastLines(docker, id, 1, signal))
    .toString()
    .trim()
  const saying = said === '' ? '' : `; its last line: ${said}`
  return `Service "${name}" ended with exit code ${exitCode}${reason}${saying}`
}
