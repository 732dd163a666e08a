/**
 * What it means that the kernel would not run the first program of a container.
 *
 * @module
 */

import type { DockerClient } from '../../docker/client.ts'
import { isSamePlatform } from '../../docker/platform.ts'
import { enginePlatform } from '../../docker/system.ts'

/** As runc and crun, and old ones of them, put the kernel's words. */
const FORMAT_ERROR = /\bexec\b.*: exec format error/i
const TOO_LONG = /\bexec\b.*: argument list too long/i

/**
 * @param said what stands in the container's output or the engine's refusal
 * @param platform of its image
 * @returns what it is and what to do; undefined when nothing of the kind was said
 */
export async function explainExecFailure(
  docker: DockerClient,
  said: string,
  platform: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (TOO_LONG.test(said)) {
    return 'The variables of the container are too large: a process takes 128 KiB in one variable and 2 MiB in all. Pass large values as files.'
  }
  if (!FORMAT_ERROR.test(said)) return undefined
  const own = await enginePlatform(docker, signal)
  return isSamePlatform(own, platform)
    ? `That file is neither a program for ${own} nor a script that begins with #! and its interpreter.`
    : `The image is for ${platform}, and the engine runs on ${own}: set platform: ${own} for this container, or install an emulator on the host of the engine (packages qemu-user-static and binfmt-support).`
}
