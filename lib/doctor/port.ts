/**
 * Whether `agent serve` could listen at its configured address.
 *
 * @module
 */

import { get } from 'node:https'
import { createServer } from 'node:net'
import { ok, problem, type Verdict } from '../checks/check.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** Ends at once what it listens for. */
export async function examinePort(address: Address, signal: AbortSignal): Promise<Verdict> {
  const { host, port } = address
  const place = `${host}:${port}`
  switch (await tryToListen(address)) {
    case undefined:
      return ok(port === 0 ? `any on ${host}` : `${place} is free`)
    case 'EADDRINUSE':
      if (await isAgent(address, signal)) return ok(`${place} is already in use by an agent`)
      return problem(
        `${place} is in use by another program`,
        `Find it: ss -ltnp 'sport = :${port}'. Stop it, or choose another --port.`,
      )
    case 'EACCES':
      return problem(
        `this user may not listen on ${place}`,
        'Choose a --port of 1024 or more, or give the agent CAP_NET_BIND_SERVICE.',
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return problem(
        `${host} is not an address of this machine`,
        'Set --host to one of its addresses (ip address lists them), or omit it to listen on all.',
      )
    default:
      return problem(`the agent cannot listen on ${place}`, 'Correct --host and --port.')
  }
}

/** @returns the code of what went wrong */
function tryToListen({ host, port }: Address): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

/** The certificate does not matter here: nothing is sent, and nothing in the response is trusted. */
function isAgent({ host, port }: Address, signal: AbortSignal): Promise<boolean> {
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return new Promise((resolve) => {
    const options = { host: name, port, path: '/is_alive', rejectUnauthorized: false, signal }
    const call = get(options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > 'yes\n'.length) call.destroy()
      })
      response.once('close', () => resolve(text.trim() === 'yes'))
    })
    call.once('error', () => resolve(false))
  })
}
