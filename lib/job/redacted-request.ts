/**
 * A job request as it may be kept and handed on: names, not values. Pure.
 *
 * @module
 */

import type { Masking } from '../masking/masking.ts'
import type { Command, EncodedFile, EncodedVariable, JobRequest } from '../request/job-request.ts'

/** A longer directive is not kept: a part of it might begin or end in a secret, which is not recognized then. */
const MAX_CHARACTERS = 4_000

/** Of each list: a request may have megabytes of them. */
const MAX_ITEMS = 500

/** @returns plain data, all of its texts masked */
export function redactRequest(request: JobRequest, masking: Masking): object {
  const { compose, callbacks, logger } = request
  const described = {
    job_id: request.id,
    executor: request.executor,
    ...listsOf(request),
    containers: compose?.containers.map((container) => ({
      name: container.name,
      image: container.image,
      pull_policy: container.pullPolicy,
      platform: container.platform,
      user: container.user,
      memory_bytes: container.memoryBytes,
      cpus: container.cpus,
      has_command: container.command !== undefined,
      has_entrypoint: container.entrypoint !== undefined,
      ...listsOf(container),
    })),
    image_pull_credentials: compose?.imagePullCredentials.map(listsOf),
    host_setup_commands: compose?.hostSetupCommands.map(describeCommand),
    commands: cut(request.commands.map(describeCommand)),
    epilogue_always_commands: cut(request.epilogueAlways.map(describeCommand)),
    epilogue_on_pass_commands: cut(request.epilogueOnPass.map(describeCommand)),
    epilogue_on_fail_commands: cut(request.epilogueOnFail.map(describeCommand)),
    ssh_public_keys: request.sshPublicKeys.length,
    timeout_in_seconds: request.timeoutInSeconds,
    no_output_timeout_in_seconds: request.noOutputTimeoutInSeconds,
    callbacks: [callbacks.finished, callbacks.teardownFinished].map(originOf),
    logger: { method: logger.method, url: originOf(logger.url) },
    unknown_keys: cut(request.unknownKeys),
  }
  return masked(described, masking) as object
}

interface Lists {
  readonly envVars: readonly EncodedVariable[]
  readonly files: readonly EncodedFile[]
}

function listsOf({ envVars, files }: Lists) {
  return {
    env_vars: cut(envVars.map(({ name, secret }) => ({ name, secret }))),
    files: cut(files.map(({ path, mode, secret }) => ({ path, mode, secret }))),
  }
}

function describeCommand({ alias, directive }: Command) {
  const { length } = directive
  return { alias, directive: length > MAX_CHARACTERS ? `(${length} characters)` : directive }
}

function cut<T>(items: readonly T[]): readonly (T | string)[] {
  if (items.length <= MAX_ITEMS) return items
  return [...items.slice(0, MAX_ITEMS), `and ${items.length - MAX_ITEMS} more`]
}

/** A path may have a token in it. */
function originOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).origin : undefined
}

function masked(value: unknown, masking: Masking): unknown {
  if (typeof value === 'string') return masking.mask(value)
  if (Array.isArray(value)) return value.map((item) => masked(item, masking))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, item]) => [key, masked(item, masking)])
  return Object.fromEntries(entries)
}
