/**
 * Unknown JSON in, a job request out: or every reason why not, at once.
 *
 * @module
 */

import { type Problem, RequestError } from '../errors.ts'
import { atOnce, inSlices } from '../slices.ts'
import { DocumentCheck, MAX_PROBLEMS } from './check-document.ts'
import type { Compose, ContainerRequest, JobRequest } from './job-request.ts'
import { jobRequestSchema, MAX_CONTAINERS, type WireRequest } from './schema.ts'
import { isRecord } from './shapes.ts'

export interface ParseOptions {
  /** For a request that names none: a job run by hand needs no name. */
  readonly defaultId?: string | undefined
}

/**
 * Checks the shape of a request (see lib/request/README.md). Base64, file modes and other content are
 * checked when the job comes to use them.
 *
 * @throws {RequestError} with every problem, each with the path of its field
 */
export function parseJobRequest(input: unknown, options: ParseOptions = {}): JobRequest {
  return atOnce(parse(input, options))
}

/** As {@link parseJobRequest}, for a server that has others to answer meanwhile. */
export async function parseJobRequestInSlices(input: unknown): Promise<JobRequest> {
  return await inSlices(parse(input, {}))
}

function* parse(input: unknown, options: ParseOptions): Generator<void, JobRequest, undefined> {
  const check = new DocumentCheck()
  const output = yield* check.check(jobRequestSchema, input)
  const problems = [...check.problems, ...relationProblems(input, options)]
  if (problems.length > 0) throw new RequestError(problems.slice(0, MAX_PROBLEMS))

  const { unknownKeys, unknownKeyCount } = check
  const further = unknownKeyCount - unknownKeys.length
  return toJobRequest(
    output as WireRequest,
    options.defaultId ?? '',
    further === 0 ? unknownKeys : [...unknownKeys, `${further} more`],
  )
}

/** What holds between fields. Looks at the raw input, so that nothing else has to be right first. */
function relationProblems(input: unknown, { defaultId }: ParseOptions): Problem[] {
  if (!isRecord(input)) return []
  const problems: Problem[] = []
  const isAbsent = (key: string) => (input[key] ?? '') === ''
  if (defaultId === undefined && isAbsent('job_id') && isAbsent('id')) {
    problems.push({ path: 'job_id', message: 'expected a string' })
  }
  const containers = rawContainers(input)
  if (input['executor'] === 'dockercompose' && containers?.length === 0) {
    const message = 'expected at least one container for the executor "dockercompose"'
    problems.push({ path: 'compose.containers', message })
  }
  return [...problems, ...repeatedNames(containers ?? []), ...otherPlatforms(containers ?? [])]
}

/** @returns undefined when what is there is no list, or too long a one: the schema tells */
function rawContainers(input: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  const compose = input['compose'] ?? {}
  if (!isRecord(compose)) return undefined
  const containers: unknown = compose['containers'] ?? []
  return Array.isArray(containers) && containers.length <= MAX_CONTAINERS ? containers : undefined
}

function repeatedNames(containers: readonly unknown[]): Problem[] {
  // Name servers do not tell capitals from small letters.
  const names = containers.map((container) => {
    const name = isRecord(container) ? container['name'] : undefined
    return typeof name === 'string' ? name.toLowerCase() : undefined
  })
  return names.flatMap((name, index) => {
    const first = names.indexOf(name)
    if (name === undefined || first === index) return []
    const message = `expected a unique name, got the one of compose.containers[${first}]`
    return [{ path: `compose.containers[${index}].name`, message }]
  })
}

/** An engine keeps one image of a name, for one platform. */
function otherPlatforms(containers: readonly unknown[]): Problem[] {
  const fields = containers.map((container) => (isRecord(container) ? container : {}))
  return fields.flatMap(({ image, platform }, index) => {
    const first = fields.findIndex((other) => other['image'] === image)
    if (typeof image !== 'string' || (fields[first]?.['platform'] ?? '') === (platform ?? '')) {
      return []
    }
    const message = `expected the platform of compose.containers[${first}], which has the same image`
    return [{ path: `compose.containers[${index}].platform`, message }]
  })
}

function toJobRequest(
  wire: WireRequest,
  defaultId: string,
  unknownKeys: readonly string[],
): JobRequest {
  const executor = wire.executor || 'shell'
  return {
    id: wire.job_id ?? wire.id ?? defaultId,
    executor,
    commands: wire.commands,
    epilogueAlways: firstFilled(wire.epilogue_always_commands, wire.epilogue_commands),
    epilogueOnPass: wire.epilogue_on_pass_commands,
    epilogueOnFail: wire.epilogue_on_fail_commands,
    envVars: wire.env_vars,
    files: firstFilled(wire.files, wire.file),
    sshPublicKeys: wire.ssh_public_keys,
    timeoutInSeconds: wire.timeout_in_seconds,
    noOutputTimeoutInSeconds: wire.no_output_timeout_in_seconds,
    compose: executor === 'dockercompose' && wire.compose ? toCompose(wire.compose) : undefined,
    callbacks: {
      finished: wire.callbacks?.finished,
      teardownFinished: wire.callbacks?.teardown_finished,
      token: wire.callbacks?.token,
    },
    logger: {
      method: wire.logger?.method ?? 'pull',
      url: wire.logger?.url,
      token: wire.logger?.token,
      maxSizeInBytes: wire.logger?.max_size_in_bytes || undefined,
    },
    unknownKeys,
  }
}

/** The key of today, else the older one for the same thing. */
function firstFilled<T>(current: readonly T[], older: readonly T[]): readonly T[] {
  return current.length > 0 ? current : older
}

type WireCompose = NonNullable<WireRequest['compose']>

function toCompose(wire: WireCompose): Compose {
  return {
    containers: wire.containers.map(toContainer),
    imagePullCredentials: wire.image_pull_credentials.map(({ env_vars, files }) => ({
      envVars: env_vars,
      files,
    })),
    hostSetupCommands: wire.host_setup_commands,
  }
}

function toContainer(wire: WireCompose['containers'][number]): ContainerRequest {
  const { name, image, command, entrypoint, user, env_vars: envVars, files } = wire
  const { platform, memory: memoryBytes, cpus, pull_policy } = wire
  const pullPolicy = pull_policy || 'if-not-present'
  const given = { envVars, files, memoryBytes, cpus }
  return { name, image, pullPolicy, platform, command, entrypoint, user, ...given }
}
