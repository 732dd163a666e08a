/** A served agent and the clients that talk to it, as the tests of its HTTP side need them. */

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SignJWT } from 'jose'
import type { JobEvent } from '../../lib/events/event.ts'
import { type RunningAgent, startAgent } from './agent.ts'
import { freePort } from './free-port.ts'
import { waitFor } from './host.ts'

export const SECRET = 'served for tests'

export interface ServedAgent {
  readonly port: number
  readonly url: string
  /** Its own, for files of a test's jobs too. */
  readonly directory: string
  readonly agent: RunningAgent
  /** The header of a client that may. */
  readonly authorization: string
  /** An answer and its whole body; `authorization` is there unless `headers` says otherwise. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>
  /** The answer with its body still to be read. */
  open(method: string, path: string, options?: AskOptions): Promise<IncomingMessage>
  /** Ends the agent, and all it kept. */
  stop(): Promise<void>
  /** Kills the agent, and starts another one on what it kept. The first is of no more use. */
  killAndRestart(flags?: readonly string[]): Promise<ServedAgent>
}

export interface ServeOptions {
  /** Of an earlier agent. Default: a new one. */
  readonly directory?: string
  readonly workingDirectory?: string
  /** Default: one in its directory. */
  readonly stateDirectory?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly prefix?: readonly string[]
  /** It is killed after that. Default: 4 minutes. */
  readonly limitMs?: number
}

/** Longer than any test with a server; a hang must not look like a slow machine. */
const LIMIT_MS = 240_000

export interface AskOptions extends Omit<RequestOptions, 'headers'> {
  readonly body?: string | Buffer
  /** No `authorization` at all. */
  readonly isAnonymous?: boolean
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly bytes: Buffer
}

export async function serveAgent(
  flags: readonly string[] = [],
  options: ServeOptions = {},
): Promise<ServedAgent> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'served-')))
  const state = options.stateDirectory ?? join(directory, 'state')
  const home = join(directory, 'home')
  await mkdir(home, { recursive: true })
  const secretFile = join(directory, 'secret')
  await writeFile(secretFile, SECRET, { mode: 0o600 })
  const port = await freePort()
  const agent = await startAgent(
    [
      ...['serve', '--host', '127.0.0.1', '--port', String(port)],
      ...['--auth-token-secret-file', secretFile, '--state-dir', state],
      ...flags,
    ],
    {
      ...{ home, limitMs: options.limitMs ?? LIMIT_MS },
      ...(options.workingDirectory !== undefined && { cwd: options.workingDirectory }),
      ...(options.prefix !== undefined && { prefix: options.prefix }),
      environment: {
        SEMAPHORE_AGENT_LOG_FILE_PATH: join(directory, 'agent_log'),
        ...options.environment,
      },
    },
  )
  const authorization = `Bearer ${await signToken()}`

  const open: ServedAgent['open'] = (method, path, options = {}) =>
    new Promise((resolve, reject) => {
      const { body, isAnonymous = false, ...rest } = options
      const headers = { ...(isAnonymous ? {} : { authorization }), ...rest.headers }
      const sending = request(
        {
          ...{ host: '127.0.0.1', port, path, method, rejectUnauthorized: false, agent: false },
          ...{ ...rest, headers },
        },
        resolve,
      )
      sending.on('error', reject)
      sending.end(body)
    })
  const served: ServedAgent = {
    directory,
    ...{ port, url: `https://127.0.0.1:${port}`, agent, authorization, open },
    async ask(method, path, options) {
      const response = await open(method, path, options)
      const bytes = await bytesOf(response)
      const { statusCode = 0, headers } = response
      return { status: statusCode, headers, bytes, text: bytes.toString() }
    },
    async stop() {
      await endAtOnce(agent)
      await rm(directory, { recursive: true, force: true })
    },
    async killAndRestart(newFlags = flags) {
      agent.signal('SIGKILL')
      await agent.exited
      return await serveAgent(newFlags, { ...options, directory })
    },
  }
  let isGone = false
  agent.exited.then(
    () => {
      isGone = true
    },
    () => undefined,
  )
  await waitFor(async () => {
    if (isGone) throw new Error(`The agent did not start: ${agent.stdout}${agent.stderr}`)
    const answer = await served.ask('GET', '/is_alive').catch(() => undefined)
    return answer?.text === 'yes'
  }, 'the agent answers /is_alive')
  return served
}

/** Asks until it is gone: two signals in one moment are one. */
async function endAtOnce(agent: RunningAgent): Promise<void> {
  const asking = setInterval(() => agent.signal('SIGTERM'), 50)
  agent.signal('SIGTERM')
  await agent.exited
  clearInterval(asking)
}

/** Runs `use` on an agent of its own, and ends that agent whatever happens. */
export async function withAgent(
  use: (served: ServedAgent) => Promise<void>,
  flags?: readonly string[],
  options?: ServeOptions,
): Promise<void> {
  const served = await serveAgent(flags, options)
  try {
    await use(served)
  } finally {
    await served.stop()
  }
}

export async function signToken(
  claims: Record<string, unknown> = {},
  secret = SECRET,
): Promise<string> {
  return await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret))
}

export async function bytesOf(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

/** The body of a shell job. */
export function shellJob(id: string, ...directives: readonly string[]): string {
  return JSON.stringify({
    job_id: id,
    executor: 'shell',
    commands: directives.map((directive) => ({ directive })),
    logger: { method: 'pull' },
  })
}

/** Resolves when the agent would take the next job. */
export async function whenFree(served: ServedAgent, limitMs?: number): Promise<void> {
  await waitFor(
    async () => (await served.ask('GET', '/status')).text.includes('waiting-for-job'),
    'the agent is free again',
    limitMs,
  )
}

/** Resolves when nothing of any job is left to clear away, collect or tell. */
export async function whenReported(served: ServedAgent): Promise<void> {
  const records = join(served.directory, 'state', 'records')
  await waitFor(async () => (await readdir(records)).length === 0, 'every job is reported')
}

/** The log of a job from its first line to `job_finished`. */
export async function followLog(served: ServedAgent, id: string): Promise<string> {
  const { status, text } = await served.ask('GET', `/jobs/${id}/log?follow=true`)
  if (status !== 200) throw new Error(`${status}: ${text}`)
  return text
}

export function eventsIn(log: string): JobEvent[] {
  return log
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as JobEvent)
}

/** What the job printed, without the agent's own blocks' output. */
export function outputIn(log: string): string {
  return eventsIn(log)
    .map((event) => (event.event === 'cmd_output' ? event.output : ''))
    .join('')
}

/** curl, as a user's script calls it. */
export async function curl(served: ServedAgent, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    'curl',
    ['-sSk', '--max-time', '30', '-H', `Authorization: ${served.authorization}`, ...args],
    { maxBuffer: 64 * 1024 * 1024 },
  )
  return stdout
}

/** Resident memory of a process, in MB. */
export async function residentMegabytes(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises')
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1_024
}
