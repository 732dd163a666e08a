/** A script in a container of its own, on the network of this host. */

import { callEngine } from '../setup/engine.ts'
import { createJobId } from './job-id.ts'

export interface ContainerRun {
  readonly image: string
  /** For `sh -c`. */
  readonly script: string
  /** Each `host:container`, read-only. */
  readonly mounts: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Default: root. */
  readonly user?: string
}

export interface ContainerExit {
  readonly code: number
  /** Standard output and error, in the order of a terminal. */
  readonly output: string
}

const LIMIT_MS = 60_000

export async function runContainer(request: ContainerRun): Promise<ContainerExit> {
  const { image, script, mounts, environment = {}, user = '' } = request
  const { Id } = await ask<{ Id: string }>('POST', '/containers/create', {
    Image: image,
    Cmd: ['sh', '-c', script],
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    User: user,
    Tty: true, // unframed output
    Labels: { 'agent.job': createJobId() }, // other test runs do not take it for theirs
    HostConfig: {
      NetworkMode: 'host',
      Init: true,
      Binds: mounts.map((mount) => `${mount}:ro`),
    },
  })
  const limit = setTimeout(() => {
    void callEngine('POST', `/containers/${Id}/kill`) // its output says how far it got
  }, LIMIT_MS)
  try {
    await ask('POST', `/containers/${Id}/start`)
    const { StatusCode } = await ask<{ StatusCode: number }>('POST', `/containers/${Id}/wait`)
    const logs = await callEngine('GET', `/containers/${Id}/logs?stdout=true&stderr=true`)
    return { code: StatusCode, output: logs.text.replaceAll('\r\n', '\n') }
  } finally {
    clearTimeout(limit)
    await callEngine('DELETE', `/containers/${Id}?force=true&v=true`)
  }
}

async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const { status, text } = await callEngine(method, path, body)
  if (status >= 300) throw new Error(`${method} ${path}: ${text}`)
  return JSON.parse(text || '{}') as T
}
