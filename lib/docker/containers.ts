/**
 * The containers section of the Engine API: their life, and what is to be known of them.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { type DockerClient, segment } from './client.ts'
import { readFrames } from './frames.ts'

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

const REMOVED = 'Somebody else removed the container: keep others away from the job’s containers.'

/** 409: it is about to be gone. */
export const REMOVED_HINTS = { 404: REMOVED, 409: REMOVED }

/** Somebody else is already removing the container. */
const REMOVAL_POLL_MS = 100

const REMOVAL_LIMIT_MS = 30_000

/** @param role the container as the job's author knows it */
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
      500: 'Check user, entrypoint and command of the container in the job; see also the log of the Docker Engine.',
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

/** The end of what a `logged` container has printed, standard error included. */
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

/** Of a limit, for messages. */
export function formatMemory(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`
}

/** As `docker ps` shows it; names stay whole. */
function shortId(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : `"${id}"`
}
