/** A release on an HTTPS server of this host, which can be told to misbehave. */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { CertificateAndKey } from '../../lib/tls/self-signed.ts'

/** What is done with a file instead of sending it. */
export type Mischief = (response: ServerResponse, path: string) => void

export interface ReleaseServer {
  readonly url: string
  /** Names of the files asked for, in order. */
  readonly requests: string[]
  /** By the names of files. */
  readonly mischief: Map<string, Mischief>
  close(): Promise<void>
}

export async function startReleaseServer(
  directory: string,
  tls: CertificateAndKey,
): Promise<ReleaseServer> {
  const requests: string[] = []
  const mischief = new Map<string, Mischief>()
  // busybox's own TLS knows no signatures but with SHA-1, which OpenSSL has to be told to bear.
  const options = { ...tls, ciphers: 'DEFAULT@SECLEVEL=0' }
  const server = createServer(options, (request, response) => {
    const name = (request.url ?? '').slice(1)
    requests.push(name)
    const path = join(directory, name)
    const act = mischief.get(name) ?? send
    void act(response, path)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    requests,
    mischief,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function send(response: ServerResponse, path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return void response.writeHead(404).end()
  response.writeHead(200, { 'content-length': found.size })
  await pipeline(createReadStream(path), response).catch(() => undefined) // the client went away
}

/** As the release script writes them. */
export async function checksumsOf(directory: string): Promise<string> {
  const lines = (await readdir(directory)).sort().map(async (name) => {
    const hash = createHash('sha256')
    await pipeline(createReadStream(join(directory, name)), hash)
    return `${hash.digest('hex')}  ${name}\n`
  })
  return (await Promise.all(lines)).join('')
}
