/**
 * Gives a server its address, or explains in terms of the settings why it cannot have it.
 *
 * @module
 */

import type { Server } from 'node:net'
import { ConfigError } from '../errors.ts'

export interface Address {
  readonly host: string
  /** 0 = any that is free. */
  readonly port: number
  /** Of the settings that gave it, before their last word: `--` or `--metrics-`. Default `--`. */
  readonly prefix?: string
}

/** @throws {ConfigError} when the address cannot be had */
export async function bind(server: Server, { host, port, prefix = '--' }: Address): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  }).catch((cause: NodeJS.ErrnoException) => {
    const known = BIND_FAILURES[cause.code ?? '']
    const [reason, hint] = known ?? [cause.message, 'Use another HOST.']
    throw new ConfigError(`The agent cannot listen on ${host}:${port}: ${reason}`, {
      hint: hint.replace('HOST', `${prefix}host`).replace('PORT', `${prefix}port`),
      cause,
    })
  })
}

const BIND_FAILURES: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
  EADDRINUSE: ['the port is in use', 'Stop the program that uses it, or use another PORT.'],
  EACCES: [
    'permission denied',
    'Use a PORT of 1024 or higher, or allow the agent to bind low ports.',
  ],
  EADDRNOTAVAIL: ['this host does not have that address', 'Use another HOST.'],
  ENOTFOUND: ['the name cannot be resolved', 'Use an IP address as HOST.'],
}
