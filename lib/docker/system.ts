/**
 * The system section of the Engine API.
 *
 * @module
 */

import type { DockerClient } from './client.ts'

/** @returns what the engine's own programs are for: `linux/amd64` */
export async function enginePlatform(docker: DockerClient, signal?: AbortSignal): Promise<string> {
  const { value } = await docker.call<{ Os?: string; Arch?: string }>({
    action: 'report its version',
    method: 'GET',
    path: '/version',
    signal,
    ok: [200],
  })
  return [value?.Os, value?.Arch].filter(Boolean).join('/')
}

/** @returns `name=rootless`, `name=seccomp,profile=default`, … */
export async function securityOptions(
  docker: DockerClient,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const { value } = await docker.call<{ SecurityOptions?: readonly string[] | null }>({
    action: 'report its configuration',
    method: 'GET',
    path: '/info',
    signal,
    ok: [200],
  })
  return value?.SecurityOptions ?? []
}
