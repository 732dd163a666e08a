/**
 * The networks section of the Engine API.
 *
 * @module
 */

import { DockerRefusedError } from '../errors.ts'
import { type DockerClient, segment } from './client.ts'
import type { LabelledObject } from './containers.ts'

/** iptables takes its time on a host with many rules. */
const TIMEOUT_MS = 60_000

/** @returns the new network's id */
export async function createNetwork(
  docker: DockerClient,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<string> {
  const { value } = await docker.call<{ Id: string }>({
    action: `create network "${name}"`,
    method: 'POST',
    path: '/networks/create',
    json: { Name: name, Driver: 'bridge', Labels: labels },
    ok: [201],
    timeoutMs: TIMEOUT_MS,
  })
  return value?.Id ?? name
}

/**
 * Removing what is already gone succeeds. Containers that the job itself has connected, and left
 * running, are disconnected first: they are not ours to end, but the network is.
 */
export async function removeNetwork(
  docker: DockerClient,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await deleteNetwork(docker, name, signal)
  } catch (error) {
    if (!(error instanceof DockerRefusedError) || error.status !== 403) throw error
    for (const id of await connectedContainers(docker, name, signal)) {
      await disconnect(docker, name, id, signal)
    }
    await deleteNetwork(docker, name, signal)
  }
}

/** Networks that carry a label, with all they carry. */
export async function findNetworks(
  docker: DockerClient,
  label: string,
  value: string,
): Promise<LabelledObject[]> {
  const { value: found = [] } = await docker.call<
    { Name: string; Labels?: Record<string, string> | null }[]
  >({
    action: 'list networks',
    method: 'GET',
    path: '/networks',
    query: { filters: JSON.stringify({ label: [`${label}=${value}`] }) },
    ok: [200],
  })
  return found.map(({ Name, Labels }) => ({ name: Name, labels: Labels ?? {} }))
}

async function deleteNetwork(
  docker: DockerClient,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  await docker.call({
    action: `remove network "${name}"`,
    method: 'DELETE',
    path: `/networks/${segment(name)}`,
    signal,
    ok: [204, 404],
    timeoutMs: TIMEOUT_MS,
  })
}

async function connectedContainers(
  docker: DockerClient,
  name: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const { value } = await docker.call<{ Containers?: Record<string, unknown> | null }>({
    action: `inspect network "${name}"`,
    method: 'GET',
    path: `/networks/${segment(name)}`,
    signal,
    ok: [200, 404],
  })
  return Object.keys(value?.Containers ?? {})
}

async function disconnect(
  docker: DockerClient,
  name: string,
  id: string,
  signal?: AbortSignal,
): Promise<void> {
  await docker.call({
    action: `disconnect container ${id.slice(0, 12)} from network "${name}"`,
    method: 'POST',
    path: `/networks/${segment(name)}/disconnect`,
    json: { Container: id, Force: true },
    signal,
    ok: [200, 204, 404],
    timeoutMs: TIMEOUT_MS,
  })
}
