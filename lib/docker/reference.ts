/**
 * Image references: `postgres`, `postgres:16`, `registry:5000/team/app@sha256:…`. Pure.
 *
 * @module
 */

import { ContentError } from '../errors.ts'

export interface ImageReference {
  /** As written. */
  readonly text: string
  /** Without tag and digest, as written. */
  readonly repository: string
  /** Host and port of the registry; `docker.io` when none is written. */
  readonly registry: string
  /** What follows the registry in the repository. */
  readonly path: string
  /** What the engine's `tag` parameter takes: a digest, else the tag, else `latest`. */
  readonly version: string
}

export const DOCKER_HUB = 'docker.io'

const HOST = String.raw`(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d+)?`
const COMPONENT = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
const TAG = String.raw`\w[\w.-]{0,127}`
const DIGEST = `[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}`

/** @see the grammar in github.com/distribution/reference */
const REFERENCE = new RegExp(
  `^((?:${HOST}/)?${COMPONENT}(?:/${COMPONENT})*)(?::(${TAG}))?(?:@(${DIGEST}))?$`,
)

/** @throws {ContentError} for a text no engine would take */
export function parseReference(text: string): ImageReference {
  const match = REFERENCE.exec(text)
  if (match === null) {
    throw new ContentError(`"${text}" is not an image reference`, {
      hint: 'Write it as [registry[:port]/]name[:tag][@digest]; the name is in lower case.',
    })
  }
  const [, repository = '', tag, digest] = match
  return { text, repository, ...placeOf(repository), version: digest ?? tag ?? 'latest' }
}

/** The first part is a host only if it looks like one: `team/app` is on Docker Hub. */
function placeOf(repository: string): Pick<ImageReference, 'path' | 'registry'> {
  const [host = '', ...rest] = repository.split('/')
  const isHost = rest.length > 0 && (/[.:A-Z]/.test(host) || host === 'localhost')
  return isHost
    ? { registry: normalizeRegistry(host), path: rest.join('/') }
    : { registry: DOCKER_HUB, path: repository }
}

/** What is behind the host in the address of a registry: a team's part of it; not the API's version. */
export function pathOfRegistry(url: string): string {
  const [, ...parts] = url.replace(/^https?:\/\//, '').split('/')
  const path = parts.filter((part) => part !== '').join('/')
  return /^v[12]$/.test(path) ? '' : path
}

/** One spelling for one registry: no scheme, no path, no capitals, no alias of Docker Hub. */
export function normalizeRegistry(url: string): string {
  const host = url
    .replace(/^https?:\/\//, '')
    .replace(/\/.*$/, '')
    .toLowerCase()
  return /^(index|registry-1|registry)\.docker\.io$/.test(host) ? DOCKER_HUB : host
}
