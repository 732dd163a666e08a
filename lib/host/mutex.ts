/**
 * Taking turns with other agents on this host, for moments.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 5

/** Somebody whose turn takes longer hangs, and may hang for ever: then it is better to go on. */
const PATIENCE_MS = 3_000

/**
 * Does the work while no other process does any under the same name.
 *
 * The turn is an abstract Unix socket: the kernel lets one process have a name, takes it back when
 * that process ends in whatever way, and there is no file that could stay behind.
 */
export async function takeTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
  const turn = await waitForTurn(socketName(name))
  try {
    return await work()
  } finally {
    turn?.close()
  }
}

/** @returns undefined when the turn did not come in time */
async function waitForTurn(path: string): Promise<Server | undefined> {
  const deadline = performance.now() + PATIENCE_MS
  while (performance.now() < deadline) {
    const server = createServer()
    try {
      server.listen({ path })
      await once(server, 'listening')
      return server
    } catch {
      await sleep(POLL_MS) // EADDRINUSE, as a rule; whatever else it is, it is no reason to give up
    }
  }
  return undefined
}

/** Of a fixed length: a socket's name holds 107 bytes. */
function socketName(name: string): string {
  return `\0agent-${createHash('sha256').update(name).digest('hex')}`
}
