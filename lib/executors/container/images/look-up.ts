/**
 * What the engine has of a job's images, without pulling any.
 *
 * @module
 */

import { DockerClient } from '../../../docker/client.ts'
import { type ImageInfo, inspectImage } from '../../../docker/images.ts'
import { parseReference } from '../../../docker/reference.ts'

/**
 * @returns by the names of the images; undefined for one that the engine does not have
 * @throws {AgentError} when the engine cannot be asked, or something is no name of an image
 */
export async function lookUpImages(
  socketPath: string,
  images: readonly string[],
): Promise<ReadonlyMap<string, ImageInfo | undefined>> {
  const references = [...new Set(images)].map(parseReference)
  if (references.length === 0) return new Map()
  const docker = new DockerClient(socketPath)
  try {
    const found = references.map(async (reference) => {
      return [reference.text, await inspectImage(docker, reference)] as const
    })
    return new Map(await Promise.all(found))
  } finally {
    await docker.close()
  }
}
