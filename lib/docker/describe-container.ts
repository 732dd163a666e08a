/**
 * What may be told of a container to others: chosen fields, and of its variables the names.
 *
 * @module
 */

import { type DockerClient, segment } from './client.ts'

interface InspectAnswer {
  readonly Id?: string
  readonly Name?: string
  readonly Created?: string
  readonly Image?: string
  readonly RestartCount?: number
  readonly Platform?: string
  readonly State?: Readonly<Record<string, unknown>> | null
  readonly Config?: {
    readonly Image?: string
    readonly User?: string
    readonly Env?: readonly string[] | null
    readonly Labels?: Readonly<Record<string, string>> | null
  } | null
  readonly HostConfig?: Readonly<Record<string, unknown>> | null
  readonly Mounts?: ReadonlyArray<Readonly<Record<string, unknown>>> | null
  readonly NetworkSettings?: { readonly Networks?: object | null } | null
}

/** Without the output of health checks, which may have anything in it. */
const STATE = ['Status', 'ExitCode', 'Error', 'OOMKilled', 'StartedAt', 'FinishedAt', 'Pid']

const HOST = ['Memory', 'NanoCpus', 'NetworkMode', 'Privileged', 'Runtime', 'StorageOpt']

const MOUNT = ['Type', 'Source', 'Destination', 'Mode', 'RW']

/** @throws {DockerRefusedError} with status 404 when it is gone */
export async function describeContainer(
  docker: DockerClient,
  id: string,
  signal: AbortSignal,
): Promise<object> {
  const { value = {} } = await docker.call<InspectAnswer>({
    action: `inspect container ${id}`,
    method: 'GET',
    path: `/containers/${segment(id)}/json`,
    signal,
    ok: [200],
  })
  const { Id, Name, Created, Image, RestartCount, Platform, Config } = value
  return {
    ...{ Id, Name, Created, Image, RestartCount, Platform },
    State: pick(value.State, STATE),
    Config: {
      Image: Config?.Image,
      User: Config?.User,
      Env: Config?.Env?.map((variable) => variable.replace(/=.*/s, '')),
      Labels: Config?.Labels,
    },
    HostConfig: pick(value.HostConfig, HOST),
    Mounts: value.Mounts?.map((mount) => pick(mount, MOUNT)),
    Networks: Object.keys(value.NetworkSettings?.Networks ?? {}),
  }
}

function pick(
  from: Readonly<Record<string, unknown>> | null | undefined,
  names: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, from?.[name]]))
}
