/**
 * The images section of the Engine API, and logins to registries.
 *
 * @module
 */

import { ImagePullError } from '../errors.ts'
import { type DockerClient, segment } from './client.ts'
import { adviceOn, halfAnswered } from './failures.ts'
import type { ImageReference } from './reference.ts'
import { isTransientFailure } from './transient-failure.ts'

/** What the agent wants to know of an image. */
export interface ImageInfo {
  readonly id: string
  /** `linux/amd64`, as far as the image says. */
  readonly platform: string
  /** As in its Dockerfile; empty = root. */
  readonly user: string
  readonly entrypoint: readonly string[]
  /** The command that tells whether a container is healthy: 0 = it is. Absent = there is none. */
  readonly healthCheck: readonly string[] | undefined
  /** TCP only: of others nobody can tell whether they are open. */
  readonly exposedPorts: readonly number[]
  /** `sha256:…` of the manifest it was pulled by; undefined for one that was built here. */
  readonly digest: string | undefined
  /** Names of the variables it sets. */
  readonly variables: readonly string[]
}

/** One line of a pull's progress, as the engine sends it. */
export interface PullMessage {
  readonly status?: string
  /** A layer's short id; on the first message the tag. */
  readonly id?: string
  readonly progressDetail?: { readonly current?: number; readonly total?: number }
  readonly error?: string
}

export interface RegistryLogin {
  /** Host and port, as {@link ImageReference.registry}. */
  readonly registry: string
  /** The part of the registry it is for; empty = all of it. */
  readonly path: string
  /** What the engine is told, e.g. `https://index.docker.io/v1/` for Docker Hub. */
  readonly address: string
  readonly username: string
  readonly password: string
  /** Given by some registries in exchange for the password. */
  readonly identityToken?: string | undefined
}

interface InspectAnswer {
  readonly Id: string
  readonly Os?: string
  readonly Architecture?: string
  readonly Variant?: string
  /** By each repository it is known in: `postgres@sha256:…`. */
  readonly RepoDigests?: readonly string[] | null
  readonly Config?: {
    readonly Env?: readonly string[] | null
    readonly User?: string
    readonly Entrypoint?: readonly string[] | null
    readonly Healthcheck?: { readonly Test?: readonly string[] | null } | null
    /** For commands given as one line; absent = `/bin/sh -c`. */
    readonly Shell?: readonly string[] | null
    /** By port and protocol: `5432/tcp`. */
    readonly ExposedPorts?: Readonly<Record<string, unknown>> | null
  } | null
}

/** @returns undefined when the engine does not have it */
export async function inspectImage(
  docker: DockerClient,
  reference: ImageReference,
  signal?: AbortSignal,
): Promise<ImageInfo | undefined> {
  const path = reference.text.split('/').map(segment).join('/')
  const { value } = await docker.call<InspectAnswer>({
    action: `inspect image "${reference.text}"`,
    method: 'GET',
    path: `/images/${path}/json`,
    signal,
    ok: [200, 404],
  })
  if (value === undefined) return undefined
  return {
    id: value.Id,
    platform: [value.Os, value.Architecture, value.Variant].filter(Boolean).join('/'),
    user: value.Config?.User ?? '',
    entrypoint: value.Config?.Entrypoint ?? [],
    healthCheck: toCommand(value.Config?.Healthcheck?.Test ?? [], value.Config?.Shell),
    exposedPorts: Object.keys(value.Config?.ExposedPorts ?? {})
      .filter((port) => port.endsWith('/tcp'))
      .map((port) => Number.parseInt(port, 10)),
    digest: value.RepoDigests?.[0]?.split('@')[1],
    variables: (value.Config?.Env ?? []).map((variable) => variable.split('=', 1)[0] ?? ''),
  }
}

/** @see https://docs.docker.com/reference/dockerfile/#healthcheck */
function toCommand(
  [kind, ...words]: readonly string[],
  shell: readonly string[] | null | undefined,
): readonly string[] | undefined {
  if (kind === 'CMD') return words
  return kind === 'CMD-SHELL' ? [...(shell ?? ['/bin/sh', '-c']), ...words] : undefined
}

export interface PullImageOptions {
  readonly login?: RegistryLogin | undefined
  /** Absent = the engine's own. */
  readonly platform?: string | undefined
  readonly signal: AbortSignal
}

/**
 * Pulls an image; it is there when the iteration ends. The engine speaks several times a second,
 * but is silent while it waits for a registry or checks a large layer: how long is too long is for
 * the signal to say.
 *
 * @throws {DockerRefusedError} when the engine says no before it begins: not found, no access
 * @throws {ImagePullError} when it breaks off later, with the engine's reason
 */
export async function* pullImage(
  docker: DockerClient,
  reference: ImageReference,
  { login, platform, signal }: PullImageOptions,
): AsyncGenerator<PullMessage, void> {
  const chunks = await docker.stream({
    action: `pull image "${reference.text}"`,
    method: 'POST',
    path: '/images/create',
    query: {
      fromImage: reference.repository,
      tag: reference.version,
      ...(platform === undefined ? {} : { platform }),
    },
    headers: login === undefined ? {} : { 'x-registry-auth': encodeLogin(login) },
    signal,
    ok: [200],
    hints: {
      403: 'Check the name and the tag, and that its registry lets this host read it.',
      404: 'Check the name and the tag, and that its registry lets this host read it.',
      500: 'Check the name and the tag, and that its registry can be reached from this host.',
    },
    timeoutMs: 0,
    stallMs: 0,
  })
  for await (const message of parseLines(chunks, docker.socketPath)) {
    if (message.error !== undefined) {
      throw new ImagePullError(`Image "${reference.text}" could not be pulled: ${message.error}`, {
        transient: isTransientFailure(message.error),
        hint: adviceOn(
          message.error,
          'Check the name and the tag, and that its registry lets this host read it.',
        ),
      })
    }
    yield message
  }
}

/**
 * Has the engine log in to a registry, to see whether name and password are right. The engine
 * keeps nothing of it. How long a registry may be silent is for the signal to say.
 *
 * @returns the login to pull with
 * @throws {DockerRefusedError} with the registry's reason
 */
export async function verifyLogin(
  docker: DockerClient,
  login: RegistryLogin,
  signal: AbortSignal,
): Promise<RegistryLogin> {
  const { value } = await docker.call<{ IdentityToken?: string }>({
    action: `log in to ${login.registry} as "${login.username}"`,
    method: 'POST',
    path: '/auth',
    json: { username: login.username, password: login.password, serveraddress: login.address },
    signal,
    ok: [200],
    hints: {
      400: 'Check the address of the registry.',
      401: 'Check user name and password of the credential.',
      500: 'Check the address of the registry, and user name and password of the credential.',
    },
    timeoutMs: 0,
  })
  return { ...login, identityToken: value?.IdentityToken || undefined }
}

/** @see the Engine API's chapter "Authentication" */
function encodeLogin({ username, password, address, identityToken }: RegistryLogin): string {
  const secret = identityToken === undefined ? { password } : { identitytoken: identityToken }
  const text = JSON.stringify({ username, ...secret, serveraddress: address })
  // The URL's alphabet, but padded: an engine takes any other for no login at all.
  return Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}

/** One JSON object per line, cut anywhere. */
async function* parseLines(
  chunks: AsyncIterable<Uint8Array>,
  socketPath: string,
): AsyncGenerator<PullMessage, void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') yield parseMessage(line, socketPath)
  }
  if (rest.trim() !== '') yield parseMessage(rest, socketPath)
}

function parseMessage(line: string, socketPath: string): PullMessage {
  try {
    return JSON.parse(line) as PullMessage
  } catch (cause) {
    throw halfAnswered(socketPath, cause)
  }
}
