/**
 * Where the newer engine is: its container, what it keeps, its socket and its network. Imports
 * nothing from outside this project, as the runner does not.
 *
 * @module
 */

import { join } from 'node:path'
import { callEngineAt, HOST_SOCKET } from './engine.ts'

export const NEWER_ENGINE_NAME = 'agent-test-newer-engine'

export const NEWER_ENGINE_DIRECTORY = '/var/lib/agent-test-engine'

export const NEWER_ENGINE_SOCKET = join(NEWER_ENGINE_DIRECTORY, 'docker.sock')

/** @returns the path of the network namespace in which its 127.0.0.1 is */
export async function newerEngineNetwork(): Promise<string> {
  const { status, text } = await callEngineAt(
    HOST_SOCKET,
    'GET',
    `/containers/${NEWER_ENGINE_NAME}/json`,
  )
  if (status !== 200) throw new Error(`The newer engine does not run: ${text}`)
  const { State } = JSON.parse(text) as { State: { Pid: number } }
  return `/proc/${State.Pid}/ns/net`
}
