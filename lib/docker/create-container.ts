/**
 * The containers section of the Engine API: what a container is made of.
 *
 * @module
 */

import type { DockerClient } from './client.ts'

/** A path of the host, as seen by the engine, at a path in the container. */
export interface Mount {
  readonly source: string
  readonly target: string
}

export interface ContainerSpec {
  /** Unique on this engine. */
  readonly name: string
  /** As the job's author knows it, for messages. */
  readonly role: string
  readonly image: string
  /** Absent = the image's own. */
  readonly command?: readonly string[] | undefined
  readonly entrypoint?: readonly string[] | undefined
  readonly user?: string | undefined
  /** `linux/arm64`; absent = whatever the image is for. */
  readonly platform?: string | undefined
  /** Absent = no limit of its own. */
  readonly memoryBytes?: number | undefined
  /** Of processor time: 0.5 = half a processor. Absent = no limit of its own. */
  readonly cpus?: number | undefined
  /** Each `NAME=value`. */
  readonly environment: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly network: string
  /** Names under which the others on the network reach it. */
  readonly aliases: readonly string[]
  readonly mounts: readonly Mount[]
  /** Ids of groups its processes are in as well. */
  readonly groups?: readonly string[] | undefined
  /** Devices of the host, passed through under the same path. */
  readonly devices: readonly string[]
  /** `attached`: a terminal to attach to, nothing stored. `logged`: its last output is kept. */
  readonly output: 'attached' | 'logged'
}

/** Creating writes to disk: seconds on a busy host. */
const SLOW_TIMEOUT_MS = 120_000

/** Enough for the last lines of a service that failed; a talkative one fills no disk. */
const STORED_LOG = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '1' } }

/** Storing the job's output a second time would cost time and disk. */
const NO_LOG = { Type: 'none', Config: {} }

export interface CreatedContainer {
  readonly id: string
  /** What the engine will not do as asked: a limit this kernel cannot set, an image for another processor. */
  readonly warnings: readonly string[]
}

/** Its network need not exist yet. */
export async function createContainer(
  docker: DockerClient,
  spec: ContainerSpec,
): Promise<CreatedContainer> {
  const { value } = await docker.call<{ Id: string; Warnings?: string[] | null }>({
    action: `create container "${spec.role}" from image "${spec.image}"`,
    method: 'POST',
    path: '/containers/create',
    query: { name: spec.name, ...(spec.platform ? { platform: spec.platform } : {}) },
    json: toConfig(spec),
    ok: [201],
    hints: {
      400: 'Check user, entrypoint, command, variables and limits of the container in the job.',
      404: 'The image may have been removed since it was pulled: run the job again.',
    },
    timeoutMs: SLOW_TIMEOUT_MS,
  })
  return { id: value?.Id ?? spec.name, warnings: value?.Warnings ?? [] }
}

function toConfig(spec: ContainerSpec): object {
  const attached = spec.output === 'attached'
  return {
    Image: spec.image,
    Cmd: spec.command,
    Entrypoint: spec.entrypoint,
    User: spec.user,
    Env: spec.environment,
    Labels: spec.labels,
    Tty: attached,
    OpenStdin: attached,
    HostConfig: {
      NetworkMode: spec.network,
      LogConfig: attached ? NO_LOG : STORED_LOG,
      Memory: spec.memoryBytes,
      NanoCpus: spec.cpus === undefined ? undefined : Math.round(spec.cpus * 1e9),
      // Unlike "Binds", these take any character in a path and never create a missing source.
      Mounts: spec.mounts.map(({ source, target }) => ({
        Type: 'bind',
        Source: source,
        Target: target,
      })),
      GroupAdd: spec.groups,
      Devices: spec.devices.map((path) => ({
        PathOnHost: path,
        PathInContainer: path,
        CgroupPermissions: 'rwm',
      })),
    },
    NetworkingConfig: { EndpointsConfig: { [spec.network]: { Aliases: spec.aliases } } },
  }
}
