/**
 * What a job in containers needs: an engine that lets the agent in, speaks its language, has room.
 *
 * @module
 */

import { readFile, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { type Check, ok, problem, type Verdict, warning } from '../../checks/check.ts'
import { examineSpace } from '../../checks/space.ts'
import { parseDockerHost } from '../../config.ts'
import { NEWEST_API, OLDEST_API } from '../../docker/api-version.ts'
import { type Call, DockerClient } from '../../docker/client.ts'
import { currentUser } from '../../user.ts'

interface EngineOptions {
  readonly socketPath: string
  /** Whether somebody named the socket, and so relies on it. */
  readonly isNamed: boolean
}

/** @param dockerHost as in the environment variable */
export function containerChecks(dockerHost: string | undefined): readonly Check[] {
  const area = 'dockercompose'
  let engine: EngineOptions
  try {
    engine = { socketPath: parseDockerHost(dockerHost), isNamed: (dockerHost ?? '') !== '' }
  } catch (error) {
    return [{ area, subject: 'socket', examine: () => Promise.reject(error) }]
  }
  return [
    { area, subject: 'socket', examine: (signal) => examineSocket(engine, signal) },
    { area, subject: 'engine', examine: (signal) => examineEngine(engine, signal) },
    { area, subject: 'storage', examine: (signal) => examineStorage(engine, signal) },
  ]
}

async function examineSocket(
  { socketPath, isNamed }: EngineOptions,
  signal: AbortSignal,
): Promise<Verdict> {
  const { name: username, uid } = currentUser()
  switch (await tryToConnect(socketPath, signal)) {
    case undefined: {
      const group = uid === 0 ? undefined : await groupOf(socketPath)
      return ok(`${socketPath}, open to ${group === undefined ? username : `group ${group}`}`)
    }
    case 'ENOENT':
      if (isNamed) {
        return problem(`there is no ${socketPath}`, 'Correct DOCKER_HOST, or start the engine.')
      }
      return warning(
        `there is no ${socketPath}`,
        'Install Docker Engine 20.10 or newer (or set DOCKER_HOST=unix://…) to run jobs in containers.',
      )
    case 'EACCES':
      return problem(
        `user ${username} may not use ${socketPath}`,
        `Add the user to its group, then log in again: usermod -aG ${(await groupOf(socketPath)) ?? 'docker'} ${username}`,
      )
    default:
      return problem(
        `nothing answers on ${socketPath}`,
        'Start the engine (systemctl start docker), or correct DOCKER_HOST.',
      )
  }
}

interface VersionAnswer {
  readonly Version?: string
  readonly ApiVersion?: string
  readonly MinAPIVersion?: string
  readonly Components?: readonly { readonly Name?: string }[] | null
}

async function examineEngine(
  { socketPath }: EngineOptions,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  const engine = await ask<VersionAnswer>(socketPath, '/version', 'report its version', signal)
  if (engine === undefined) return undefined
  const { Version = 'of unknown version', ApiVersion, MinAPIVersion = OLDEST_API } = engine
  const name = engine.Components?.[0]?.Name ?? 'Engine'
  const range = `API ${MinAPIVersion} to ${ApiVersion}`
  return ok(`${name} ${Version}, ${range} (the agent's: ${OLDEST_API} to ${NEWEST_API})`)
}

/** Where the engine keeps images and containers, if that is on this machine. */
async function examineStorage(
  { socketPath }: EngineOptions,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  interface InfoAnswer {
    readonly DockerRootDir?: string
  }
  const engine = await ask<InfoAnswer>(socketPath, '/info', 'describe itself', signal)
  const directory = engine?.DockerRootDir ?? ''
  const isHere = await stat(directory).catch(() => undefined)
  if (isHere === undefined) return undefined
  return await examineSpace(directory, "the engine's images and containers are kept there")
}

/**
 * @returns undefined where no connection is to be had: the check of the socket says why
 * @throws {AgentError} when what is connected to is not an engine the agent can use
 */
async function ask<T>(
  socketPath: string,
  path: string,
  action: Call['action'],
  signal: AbortSignal,
): Promise<T | undefined> {
  if ((await tryToConnect(socketPath, signal)) !== undefined) return undefined
  const client = new DockerClient(socketPath)
  try {
    const { value } = await client.call<T>({ action, method: 'GET', path, ok: [200], signal })
    return value
  } finally {
    await client.close()
  }
}

/** @returns the code of what went wrong */
function tryToConnect(path: string, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path, signal })
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'))
  })
}

/** By its name, if the socket has a group that has one. */
async function groupOf(path: string): Promise<string | undefined> {
  try {
    const { gid } = await stat(path)
    const lines = (await readFile('/etc/group', 'utf8')).split('\n')
    return lines.map((line) => line.split(':')).find(([, , id]) => id === String(gid))?.[0]
  } catch {
    return undefined // a hint is all that is lost
  }
}
