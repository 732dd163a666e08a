/**
 * The files that a request gives to one container, service or main: they are there when it starts.
 *
 * @module
 */

import type { DockerClient } from '../../docker/client.ts'
import { ContainerError } from '../../errors.ts'
import type { ContainerRequest } from '../../request/job-request.ts'
import type { RunOptions } from '../executor.ts'
import { injectContainerFiles } from './inject-files.ts'
import { findStartUser } from './start-user.ts'

/**
 * They become those of the user whom the container runs as. Nothing is said of files that arrive, as
 * of variables; of others what `files` of the job say.
 *
 * @throws {ContainerError} when one cannot be written; the reason is in the output by then
 */
export async function giveFiles(
  docker: DockerClient,
  containerId: string,
  { name, files }: ContainerRequest,
  { signal, onOutput }: RunOptions,
): Promise<void> {
  if (files.length === 0) return
  const where = { docker, containerId, signal, runs: false }
  const info = await findStartUser(where)
  const lines: (string | Uint8Array)[] = []
  const exitCode = await injectContainerFiles({ ...where, info }, files, {
    signal,
    onOutput: (line) => void lines.push(line),
  })
  if (exitCode === 0) return
  await Promise.all(lines.map(onOutput)) // in one go: other containers may have something to say as well
  throw new ContainerError(`Container "${name}" did not get its files`, {
    hint: 'Correct them in compose.containers of the job, or the image.',
  })
}
