import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import type { Hono } from 'hono'
import { SignJWT } from 'jose'
import type { JobLog } from '../../../lib/events/job-log.ts'
import { createApp } from '../../../lib/http/app.ts'
import type { ServerEnv } from '../../../lib/http/stream-response.ts'
import type { JobSlot, Submission } from '../../../lib/job/slot.ts'
import type { Logger } from '../../../lib/log.ts'
import type { LogFile } from '../../../lib/log-file.ts'
import { type LogLab, logLab } from '../job-log/log-lab.ts'

export const SECRET = 'keep it'
export const MAX_BODY_BYTES = 4_096

/** An app on a slot that does as the test says, and remembers what it was told. */
export interface ServerLab {
  readonly app: Hono<ServerEnv>
  readonly lab: LogLab
  /** What the agent's own log got, one entry each: `level: message`. */
  readonly entries: string[]
  readonly submitted: unknown[]
  readonly collected: string[]
  stops: number
  submission: (document: unknown) => Submission
  readonly logs: Map<string, JobLog>
  currentId: string | undefined
  state: JobSlot['state']
  agentLog: LogFile | undefined
}

export async function serverLab(): Promise<ServerLab> {
  const lab = await logLab()
  const entries: string[] = []
  const at = (level: string) => (message: string) => void entries.push(`${level}: ${message}`)
  const log: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const server: Omit<ServerLab, 'app'> = {
    lab,
    entries,
    submitted: [],
    collected: [],
    stops: 0,
    submission: () => ({ kind: 'accepted' }),
    logs: new Map(),
    currentId: undefined,
    state: 'waiting-for-job',
    agentLog: undefined,
  }
  const slot: JobSlot = {
    get state() {
      return server.state
    },
    async submit(document) {
      server.submitted.push(document)
      return server.submission(document)
    },
    stop: () => void server.stops++,
    log: async (id) => server.logs.get(id),
    get currentLog() {
      return server.logs.get(server.currentId ?? '')
    },
    get currentId() {
      return server.currentId
    },
    collected: (id) => void server.collected.push(id),
  }
  const app = createApp({
    slot,
    secret: SECRET,
    version: '1.2.3',
    log,
    agentLog: { read: () => server.agentLog?.read() },
    maxBodyBytes: MAX_BODY_BYTES,
    metrics: () => 'agent_jobs_total 1\n',
  })
  return Object.assign(server, { app })
}

export async function signedToken(secret = SECRET, algorithm = 'HS256'): Promise<string> {
  return await new SignJWT({}).setProtectedHeader({ alg: algorithm }).sign(Buffer.from(secret))
}

export async function authorized(): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await signedToken()}` }
}

/** One answer of a server that has a port, over TLS. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export async function ask(
  port: number,
  path: string,
  options: RequestOptions = {},
  body = '',
): Promise<Answer> {
  const response = await openAnswer(port, path, options, body)
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part as Buffer)
  const text = Buffer.concat(parts).toString()
  return { status: response.statusCode ?? 0, headers: response.headers, text }
}

/** The answer with its body still to be read. */
export function openAnswer(
  port: number,
  path: string,
  options: RequestOptions = {},
  body = '',
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sending = httpsRequest(
      { host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false, ...options },
      resolve,
    )
    sending.on('error', reject)
    sending.end(body)
  })
}

/** Waits until something holds; the test runner's own limit ends a wait in vain. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
