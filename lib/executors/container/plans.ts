/**
 * From a container as the request describes it to one as the engine makes it. Pure.
 *
 * @module
 */

import type { Mount } from '../../docker/create-container.ts'
import { ContentError } from '../../errors.ts'
import { decodeBase64 } from '../../request/base64.ts'
import type { ContainerRequest } from '../../request/job-request.ts'
import { refuseReservedName } from '../../shell/reserved-names.ts'
import type { ContainerPlan } from './job-objects.ts'

export interface MainExtras {
  /** A script in the container, for bash. */
  readonly startPath: string
  /** The image's own; absent when it has none. */
  readonly entrypoint?: readonly string[] | undefined
  readonly mounts: readonly Mount[]
  readonly groups: readonly string[]
  readonly devices: readonly string[]
}

const SHELL = /^(?:\S*\/)?(?:ba|da|a|k|z)?sh$/

/** The job's shell is the container's command, under the image's own entrypoint. */
export function planMain(
  request: ContainerRequest,
  { startPath, entrypoint, mounts, groups, devices }: MainExtras,
): ContainerPlan {
  return {
    ...planCommon(request),
    command: shellUnder(request.entrypoint ?? entrypoint ?? [], startPath),
    mounts,
    groups,
    devices,
    output: 'attached',
  }
}

/** Under an entrypoint that is itself a shell, "bash" would be the name of a script. */
function shellUnder(entrypoint: readonly string[], startPath: string): readonly string[] {
  // `sh -c`, `bash -lc`: its first argument is the whole command.
  if (/^-[A-Za-z]*c$/.test(entrypoint.at(-1) ?? '')) return [`bash ${startPath}`]
  const program = entrypoint.findLast((word) => !word.startsWith('-')) ?? ''
  return SHELL.test(program) ? [startPath] : ['bash', startPath]
}

export function planService(request: ContainerRequest): ContainerPlan {
  return {
    ...planCommon(request),
    command: request.command,
    mounts: [],
    devices: [],
    output: 'logged',
  }
}

/** @throws {ContentError} for a variable no container can have */
function planCommon(request: ContainerRequest) {
  return {
    image: request.image,
    entrypoint: request.entrypoint,
    user: request.user || undefined,
    platform: request.platform,
    memoryBytes: request.memoryBytes,
    cpus: request.cpus,
    environment: request.envVars.map(({ name, value }) => {
      const what = `The value of ${name} of container "${request.name}"`
      checkName(name, request.name)
      return `${name}=${decodeText(value, what)}`
    }),
    aliases: [request.name],
  }
}

/** Unlike a shell, programs take almost any name. */
function checkName(name: string, container: string): void {
  refuseReservedName(name)
  if (!/[=\0]/.test(name)) return
  throw new ContentError(
    `${JSON.stringify(name)} is not a valid name for a variable of "${container}"`,
    {
      hint: 'A name must not contain "=" or a NUL byte.',
    },
  )
}

/** The Engine API is JSON: it has no way to carry other bytes. */
function decodeText(encoded: string, what: string): string {
  const bytes = decodeBase64(encoded, what)
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    if (!text.includes('\0')) return text
  } catch {
    // Told below, together with the other byte no variable can hold.
  }
  throw new ContentError(`${what} is not text: it has a NUL byte or is not UTF-8`, {
    hint: 'Export it with env_vars of the job instead, or inject it as a file.',
  })
}
