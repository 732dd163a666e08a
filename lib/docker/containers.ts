/**
 * The containers section of the Engine API: their life, and what is to be known of them.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { type DockerClient, segment } from './client.ts'
import { readFrames } from './frames.ts'

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

/** Something on the engine, as a list has it. */
export interface LabelledObject {
  /** By which it can be removed. */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

export interface ContainerState {
  readonly running: boolean
  readonly exitCode: number
  /** The kernel killed one of its processes for want of memory. */
  readonly outOfMemory: boolean
  /** Bytes; 0 = no limit of its own. */
  readonly memoryLimit: number
  /** `name`, `uid`, `name:group` and so on, whoever decided; empty = root. */
  readonly user: string
  /** Each `NAME=value`, the image's included. */
  readonly environment: readonly string[]
  /** `none` without a health check. */
  readonly health: 'healthy' | 'none' | 'starting' | 'unhealthy'
  /** Of the engine's last health check; it keeps the first 4,096 bytes. */
  readonly healthOutput: string
}

interface InspectAnswer {
  readonly State: {
    readonly Running: boolean
    readonly ExitCode: number
    readonly OOMKilled: boolean
    readonly Health?: {
      readonly Status?: ContainerState['health']
      readonly Log?: ReadonlyArray<{ readonly Output?: string }> | null
    } | null
  }
  readonly HostConfig?: { readonly Memory?: number }
  readonly Config?: { readonly User?: string; readonly Env?: readonly string[] | null } | null
}

/** Creating and starting write to disk and change iptables: seconds on a busy host. */
const SLOW_TIMEOUT_MS = 120_000

/** Enough for the last lines of a service that failed; a talkative one fills no disk. */
const STORED_LOG = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '1' } }

/** Storing the job's output a second time would cost time and disk. */
const NO_LOG = { Type: 'none', Config: {} }

const REMOVED = 'Somebody else removed the container: keep others away from the job’s containers.'

/** 409: it is about to be gone. */
export const REMOVED_HINTS = { 404: REMOVED, 409: REMOVED }

/** Somebody else is already removing the container. */
const REMOVAL_POLL_MS = 100

const REMOVAL_LIMIT_MS = 30_000

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

/** @param role as in {@link ContainerSpec} */
export async function startContainer(
  docker: DockerClient,
  id: string,
  role: string,
): Promise<void> {
  await docker.call({
    action: `start container "${role}"`,
    method: 'POST',
    path: `/containers/${segment(id)}/start`,
    ok: [204, 304],
    hints: {
      400: 'Check user, entrypoint and command of the container in the job.',
      500: 'Check user, entrypoint and command of the container in the job; the log of the Docker Engine may say more.',
      ...REMOVED_HINTS,
    },
    timeoutMs: SLOW_TIMEOUT_MS,
  })
}

/** Kills all of a container's processes. One that does not run, or is gone, is no error. */
export async function killContainer(
  docker: DockerClient,
  id: string,
  signal?: AbortSignal,
): Promise<void> {
  await docker.call({
    action: `kill container ${shortId(id)}`,
    method: 'POST',
    path: `/containers/${segment(id)}/kill`,
    query: { signal: 'KILL' },
    signal,
    ok: [204, 404, 409],
  })
}

/** Waits until it does not run. @returns its exit code */
export async function waitContainer(
  docker: DockerClient,
  id: string,
  signal: AbortSignal,
): Promise<number> {
  const { value } = await docker.call<{ StatusCode: number }>({
    action: `wait for container ${shortId(id)}`,
    method: 'POST',
    path: `/containers/${segment(id)}/wait`,
    signal,
    ok: [200],
    timeoutMs: 0,
    stallMs: 0,
  })
  return value?.StatusCode ?? 1
}

/** @throws {DockerRefusedError} with status 404 when it is gone */
export async function inspectContainer(
  docker: DockerClient,
  id: string,
  signal?: AbortSignal,
): Promise<ContainerState> {
  const { value } = await docker.call<InspectAnswer>({
    action: `inspect container ${shortId(id)}`,
    method: 'GET',
    path: `/containers/${segment(id)}/json`,
    signal,
    ok: [200],
    hints: REMOVED_HINTS,
  })
  const state = value?.State
  return {
    running: state?.Running ?? false,
    exitCode: state?.ExitCode ?? 1,
    outOfMemory: state?.OOMKilled ?? false,
    memoryLimit: value?.HostConfig?.Memory ?? 0,
    user: value?.Config?.User ?? '',
    environment: value?.Config?.Env ?? [],
    health: state?.Health?.Status ?? 'none',
    healthOutput: state?.Health?.Log?.at(-1)?.Output ?? '',
  }
}

/**
 * Whether there is such a container, running or not. Unlike {@link inspectContainer} it does not wait
 * while files are moved into the container or out of it, which can take many minutes.
 */
export async function containerExists(
  docker: DockerClient,
  id: string,
  signal?: AbortSignal,
): Promise<boolean> {
  return await isListed(docker, id, { all: true }, signal)
}

/** Whether it runs; false when it is gone. Does not wait either. */
export async function containerRuns(
  docker: DockerClient,
  id: string,
  signal?: AbortSignal,
): Promise<boolean> {
  return await isListed(docker, id, {}, signal)
}

/** Whether it ran, and will not any more. Does not wait either. */
export async function containerHasEnded(
  docker: DockerClient,
  id: string,
  signal?: AbortSignal,
): Promise<boolean> {
  return await isListed(docker, id, { all: true, status: ['dead', 'exited'] }, signal)
}

async function isListed(
  docker: DockerClient,
  id: string,
  { all, ...filters }: { readonly all?: true; readonly status?: readonly string[] },
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { value: found = [] } = await docker.call<unknown[]>({
    action: `look for container ${shortId(id)}`,
    method: 'GET',
    path: '/containers/json',
    query: { ...(all && { all }), filters: JSON.stringify({ id: [id], ...filters }) },
    signal,
    ok: [200],
  })
  return found.length > 0
}

/** The end of what a `logged` container has put out, standard error included. */
export async function lastLines(
  docker: DockerClient,
  id: string,
  lines: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const chunks = await docker.stream({
    action: `read the output of container ${shortId(id)}`,
    method: 'GET',
    path: `/containers/${segment(id)}/logs`,
    query: { stdout: true, stderr: true, tail: lines },
    signal,
    ok: [200],
  })
  const parts: Uint8Array[] = []
  for await (const frame of readFrames(chunks)) parts.push(frame.bytes)
  return Buffer.concat(parts)
}

/**
 * Kills and removes a container with its anonymous volumes. One that is gone is no error; one that
 * somebody else is removing is waited for.
 */
export async function removeContainer(
  docker: DockerClient,
  id: string,
  signal?: AbortSignal,
): Promise<void> {
  await killContainer(docker, id, signal) // else Podman asks with TERM, and waits ten seconds
  const deadline = performance.now() + REMOVAL_LIMIT_MS
  for (;;) {
    const last = performance.now() > deadline
    const { status } = await docker.call({
      action: `remove container ${shortId(id)}`,
      method: 'DELETE',
      path: `/containers/${segment(id)}`,
      query: { force: true, v: true },
      signal,
      ok: last ? [204, 404] : [204, 404, 409],
      timeoutMs: SLOW_TIMEOUT_MS,
    })
    if (status !== 409) return
    await sleep(REMOVAL_POLL_MS, undefined, { signal })
  }
}

/** Containers that carry a label, running or not, with all they carry. */
export async function findContainers(
  docker: DockerClient,
  label: string,
  value: string,
): Promise<LabelledObject[]> {
  const { value: found = [] } = await docker.call<
    { Id: string; Labels?: Record<string, string> | null }[]
  >({
    action: 'list containers',
    method: 'GET',
    path: '/containers/json',
    query: { all: true, filters: JSON.stringify({ label: [`${label}=${value}`] }) },
    ok: [200],
  })
  return found.map(({ Id, Labels }) => ({ name: Id, labels: Labels ?? {} }))
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

/** Of a limit, for messages. */
export function formatMemory(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`
}

/** As `docker ps` shows it; names stay whole. */
function shortId(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : `"${id}"`
}
