/**
 * Which number of the Engine API to speak. An engine refuses what is newer than itself, and newer
 * engines refuse what is too old: Engine 29 nothing below 1.44.
 *
 * @module
 */

import { DockerVersionError } from '../errors.ts'

/** Docker 20.10, the oldest that is supported. */
export const OLDEST_API = '1.41'

/** The newest whose changes were read: nothing the agent uses is gone or renamed up to here. */
export const NEWEST_API = '1.51'

/** What `GET /version` says of itself. */
export interface EngineVersion {
  readonly ApiVersion?: unknown
  /** Absent in Podman's answer. */
  readonly MinAPIVersion?: unknown
}

/**
 * The newest number that both sides speak.
 *
 * @throws {DockerVersionError} when there is none
 */
export function negotiateVersion(socketPath: string, engine: EngineVersion): string {
  const newest = typeof engine.ApiVersion === 'string' ? engine.ApiVersion : ''
  const oldest = typeof engine.MinAPIVersion === 'string' ? engine.MinAPIVersion : OLDEST_API
  if (!/^\d+\.\d+$/.test(newest)) {
    throw new DockerVersionError(
      `The service on ${socketPath} does not report a Docker API version`,
      {
        hint: 'Point DOCKER_HOST=unix://… at the socket of a Docker Engine, 20.10 or newer.',
      },
    )
  }
  if (isOlder(newest, OLDEST_API)) {
    throw new DockerVersionError(
      `The engine on ${socketPath} speaks API ${newest}, the agent needs ${OLDEST_API} or newer`,
      { hint: 'Update the Docker Engine to 20.10 or newer.' },
    )
  }
  if (isOlder(NEWEST_API, oldest)) {
    throw new DockerVersionError(
      `The engine on ${socketPath} speaks API ${oldest} or newer, the agent up to ${NEWEST_API}`,
      { hint: 'Update the agent.' },
    )
  }
  return isOlder(newest, NEWEST_API) ? newest : NEWEST_API
}

/** By their numbers: 1.9 is older than 1.41. */
function isOlder(a: string, b: string): boolean {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number)
  const [majorB = 0, minorB = 0] = b.split('.').map(Number)
  return majorA === majorB ? minorA < minorB : majorA < majorB
}
