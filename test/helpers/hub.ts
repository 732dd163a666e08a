/**
 * A control plane for agents that call: the rules of the real one as its source has them. What it
 * would break on, or lose a job by, is recorded as a violation; faults come on command.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { SecureContextOptions } from 'node:tls'
import { Agents, type HubAgent, SILENCE, type SilenceLimits } from './hub/agents.ts'
import { Artifacts } from './hub/artifacts.ts'
import { bogusAnswer, kindOf, readBody, send } from './hub/exchange.ts'
import { type FaultRule, Faults } from './hub/faults.ts'
import { type HubJob, Jobs, sanitize } from './hub/jobs.ts'
import { type LogLimits, LogServer } from './hub/logs.ts'
import { Manners } from './hub/manners.ts'
import { type Answer, type RecordedRequest, type RequestKind, Violations } from './hub/record.ts'
import { register } from './hub/registration.ts'
import { type Action, sync } from './hub/sync.ts'

export interface HubOptions {
  /** An address of this host, for agents that are not on it. Default: 127.0.0.1. */
  readonly host?: string
  /** HTTPS, with this certificate. Default: HTTP. */
  readonly tls?: SecureContextOptions
  /** Default: 50 milliseconds. */
  readonly nextSyncAfter?: number
  readonly silence?: Partial<SilenceLimits>
  readonly logs?: Partial<LogLimits>
  /** Of tokens for logs. Default: an hour. */
  readonly tokenLifetimeSeconds?: number
  /** From the first answer with a job's secrets on. Default: 2,000. */
  readonly sanitizeAfterMs?: number
  /** Agents at the most. */
  readonly quota?: number
}

export class Hub {
  readonly registrationToken = 's1-registration-token-of-the-type'
  readonly requests: RecordedRequest[] = []
  readonly faults = new Faults()
  readonly jobs: Jobs
  readonly agents: Agents
  readonly logs: LogServer
  readonly artifacts: Artifacts
  nextSyncAfter: number | undefined
  sanitizeAfterMs: number
  quota: number
  readonly #violations = new Violations()
  readonly #manners = new Manners(this.#violations)
  readonly #directory = mkdtempSync(join(tmpdir(), 'hub-'))
  readonly #scheme: 'http' | 'https'
  readonly #host: string
  #port = 0
  readonly #server: ReturnType<typeof createServer> | ReturnType<typeof createTlsServer>

  constructor(options: HubOptions) {
    const { tls, silence, logs, tokenLifetimeSeconds: lifetimeSeconds } = options
    this.nextSyncAfter = options.nextSyncAfter ?? 50
    this.sanitizeAfterMs = options.sanitizeAfterMs ?? 2_000
    this.quota = options.quota ?? Number.POSITIVE_INFINITY
    this.jobs = new Jobs(this.#directory)
    this.agents = new Agents(this.jobs, { ...SILENCE, ...silence })
    this.logs = new LogServer(this.jobs, this.#violations, {
      ...logs,
      ...(lifetimeSeconds !== undefined && { lifetimeSeconds }),
    })
    this.artifacts = new Artifacts(this.#violations, () => this.url)
    this.#scheme = tls === undefined ? 'http' : 'https'
    this.#host = options.host ?? '127.0.0.1'
    const listener = (request: IncomingMessage, response: ServerResponse) =>
      void this.#serve(request, response)
    this.#server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
    this.#server.keepAliveTimeout = 60_000
  }

  /** @param port of an earlier one, for agents that still know it */
  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, this.#host, resolve))
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** Also while it does not listen. */
  get port(): number {
    return this.#port
  }

  /** For `--endpoint`. */
  get endpoint(): string {
    return `${this.#host}:${this.port}`
  }

  get url(): string {
    return `${this.#scheme}://${this.endpoint}`
  }

  /** Sentences; empty at the end of every good test. */
  get violations(): readonly string[] {
    return this.#violations.list
  }

  /** @param job without its id, logger and callbacks */
  enqueue(job: Readonly<Record<string, unknown>>, id?: string): HubJob {
    return this.jobs.add(job, id)
  }

  enqueueCommands(...directives: readonly string[]): HubJob {
    return this.enqueue({ commands: directives.map((directive) => ({ directive })) })
  }

  requestsOf(kind: RequestKind): readonly RecordedRequest[] {
    return this.requests.filter((request) => request.kind === kind)
  }

  fail(rule: FaultRule): void {
    this.faults.add(rule)
  }

  /** For who kills an agent: the next one may sync at once. */
  forgetTimes(): void {
    this.#manners.forgetTimes()
  }

  /** Where a job's log is pushed to. */
  logUrl(job: HubJob): string {
    return `${this.url}/api/v1/logs/${job.id}`
  }

  /** Nothing answers any more until {@link listen}: what it knows stays. */
  async stopListening(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async close(): Promise<void> {
    await this.stopListening()
    this.agents.close()
    this.jobs.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const record = this.#record(request)
    const { fault } = record
    const { socket } = request // the request lets go of it when it is cut off
    let isAnswered = false
    response.once('close', () => {
      record.endedAt = performance.now()
      this.#manners.end(record, isAnswered)
    })
    try {
      if (fault === 'reset') return
      const bytes = await readBody(request, record)
      if (bytes === undefined) return
      this.#manners.begin(record)
      if (typeof fault === 'object' && fault.delayMs !== undefined) {
        await delay(fault.delayMs)
        if (socket.destroyed) return // it came late, and to nobody
      }
      const answer = bogusAnswer(fault) ?? this.#answer(record, bytes)
      if (fault === 'lost' || fault === 'hang' || socket.destroyed) return
      isAnswered = true
      send(response, answer, record)
      this.#afterAnswer(record, answer)
    } catch (error) {
      if (!request.destroyed) this.#violations.add(`The double failed: ${String(error)}`)
    } finally {
      if (!isAnswered && fault !== 'hang') socket.destroy()
    }
  }

  #record(request: IncomingMessage): RecordedRequest {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '', 'http://hub')
    const { method = '', headers } = request
    const kind = kindOf(method, path)
    const record: RecordedRequest = {
      ...{ kind, method, path, query, headers, at: performance.now(), endedAt: undefined },
      ...{ text: '', bytes: 0, lines: 0, status: 0, answer: '' },
      agent: this.agents.of(headers.authorization)?.name,
      fault: this.faults.next({ kind, path }),
    }
    this.requests.push(record)
    return record
  }

  #answer(record: RecordedRequest, bytes: Buffer): Answer {
    const { kind, path, query, headers, text } = record
    const { authorization } = headers
    if (kind === 'register') return register(this.#desk(), authorization, text)
    if (kind === 'log') {
      const contentType = headers['content-type']
      return this.logs.push(path, query, { authorization, contentType, bytes })
    }
    if (kind === 'artifacts') return this.artifacts.sign(authorization, text)
    if (kind === 'upload') return this.artifacts.put(path, headers, bytes)
    if (kind === 'metrics') return this.#metrics(authorization)
    if (kind === 'callback') this.#violations.add(`${path} is called, although the log is pushed`)
    const agent = this.agents.of(authorization)
    if (agent === undefined) return { status: 404, text: 'Not found' }
    if (kind === 'sync') return sync(this.#desk(), agent, text)
    if (kind === 'job') return this.#handOver(agent, path)
    if (kind === 'refresh') return this.#refresh(agent)
    if (kind === 'disconnect') return this.#disconnect(agent)
    return { status: 404, text: 'Not found' }
  }

  #afterAnswer({ kind, headers }: RecordedRequest, { json }: Answer): void {
    const agent = this.agents.of(headers.authorization)
    if (kind !== 'sync' || agent === undefined) return
    const { action, shutdown_reason: reason } = (json ?? {}) as Partial<Action>
    if (action === 'shutdown') agent.shutdown = reason
  }

  #desk() {
    const { agents, jobs, registrationToken, quota, nextSyncAfter } = this
    const violations = this.#violations
    return { agents, jobs, violations, registrationToken, quota, nextSyncAfter }
  }

  #handOver(agent: HubAgent, path: string): Answer {
    const { job } = agent
    if (job === undefined || job.id !== path.split('/').at(-1)) return { status: 404 }
    const now = performance.now()
    if (job.fetches === 0) job.firstFetchAt = now
    const isLate = job.fetches > 0 && now - job.firstFetchAt >= this.sanitizeAfterMs
    job.fetches++
    job.isKnown = true
    const document = (isLate ? sanitize(job.document) : job.document) as object
    const callbacks = {
      finished: `${this.url}/callbacks/${job.id}/finished`,
      teardown_finished: `${this.url}/callbacks/${job.id}/teardown_finished`,
      token: 'callback-token',
    }
    const logger = { method: 'push', url: this.logUrl(job), token: this.logs.createToken(job) }
    const own = { job_id: job.id, job_name: 'A job', ssh_public_keys: [], callbacks, logger }
    return { status: 200, text: JSON.stringify({ ...own, ...document }) }
  }

  #refresh({ job }: HubAgent): Answer {
    if (job === undefined) return { status: 404, text: 'Not found' }
    return { status: 200, json: { token: this.logs.createToken(job) } }
  }

  #disconnect(agent: HubAgent): Answer {
    if (agent.job !== undefined) {
      this.#violations.add(`${agent.name} disconnects with the job ${agent.job.id}`)
    }
    agent.isDisconnected = true
    this.agents.forget(agent)
    return { status: 200 }
  }

  #metrics(authorization: string | undefined): Answer {
    if (authorization !== `Token ${this.registrationToken}`) return { status: 401 }
    const agents = [...this.agents.byName.values()]
    const occupied = agents.filter(({ job }) => job !== undefined).length
    return {
      status: 200,
      json: {
        jobs: { queued: this.jobs.count('queued'), running: this.jobs.count('assigned') },
        agents: { idle: agents.length - occupied, occupied },
      },
    }
  }
}

export async function startHub(options: HubOptions = {}): Promise<Hub> {
  const hub = new Hub(options)
  await hub.listen()
  return hub
}

/** Who has hung up in the meantime is known afterwards. */
async function delay(ms: number): Promise<void> {
  await sleep(ms)
  await turn()
}
