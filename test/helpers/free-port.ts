/** A port of the loopback interface that nobody listens on, and nobody else is about to. */

import { createServer } from 'node:net'

/** Below those that kernels hand out themselves: between the look and the use nobody gets it from there. */
const FIRST = 16_384
const COUNT = 16_384

/** Far enough from those of the test files that run beside this one. */
let next = process.pid * 61

export async function freePort(): Promise<number> {
  let port = FIRST
  do port = FIRST + (next++ % COUNT)
  while (!(await isFree(port)))
  return port
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const listens = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
  })
  if (listens) await new Promise((resolve) => server.close(resolve))
  return listens
}
