/** `POST /api/v1/logs/ID?start_from=N`, and the tokens for it. */

import { createHmac, randomBytes } from 'node:crypto'
import type { HubJob, Jobs } from './jobs.ts'
import { countLines } from './log-store.ts'
import type { Answer, Violations } from './record.ts'

export interface LogLimits {
  /** Lines and bytes of one request; a single line may be longer. */
  readonly batchLines: number
  readonly batchBytes: number
  /** What the server answers 413 for. */
  readonly bodyBytes: number
  /** Of a whole log: "No more space". */
  readonly logBytes: number
}

export const LOG_LIMITS: LogLimits = {
  batchLines: 2_000,
  batchBytes: 1e6,
  bodyBytes: 8e6,
  logBytes: 16 * 1024 * 1024,
}

export class LogServer {
  limits: LogLimits
  /** Of the tokens to come. */
  lifetimeSeconds: number
  readonly #jobs: Jobs
  readonly #violations: Violations
  readonly #tokens = new Map<string, { readonly job: HubJob; expiresAt: number }>()
  readonly #key = randomBytes(32)

  constructor(jobs: Jobs, violations: Violations, options: Partial<LogLimits> & Lifetime) {
    const { lifetimeSeconds = 3_600, ...limits } = options
    this.limits = { ...LOG_LIMITS, ...limits }
    this.lifetimeSeconds = lifetimeSeconds
    this.#jobs = jobs
    this.#violations = violations
  }

  /** A JWT, as the server signs them. */
  createToken(job: HubJob): string {
    const issuedAt = Math.floor(Date.now() / 1_000)
    const payload = {
      ...{ iss: 'hub', sub: job.id, iat: issuedAt, exp: issuedAt + this.lifetimeSeconds },
      jti: randomBytes(8).toString('hex'),
    }
    const parts = [{ alg: 'HS256', typ: 'JWT' }, payload].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    )
    const text = parts.join('.')
    const token = `${text}.${createHmac('sha256', this.#key).update(text).digest('base64url')}`
    this.#tokens.set(token, { job, expiresAt: payload.exp * 1_000 })
    return token
  }

  /** All that were given out are refused from now on. */
  expireTokens(): void {
    for (const token of this.#tokens.values()) token.expiresAt = 0
  }

  push(path: string, query: URLSearchParams, request: LogRequest): Answer {
    const job = this.#jobs.byId.get(decodeURIComponent(path.split('/').at(-1) ?? ''))
    const token = this.#tokens.get(request.authorization?.replace(/^Bearer /, '') ?? '')
    if (token === undefined || token.job !== job || token.expiresAt <= Date.now()) {
      return { status: 401, text: 'Unauthorized' }
    }
    const from = Number(query.get('start_from') ?? Number.NaN)
    if (!Number.isInteger(from) || from < 0) return { status: 400, text: 'start_from' }
    if (job.state === 'finished' && job.reason === undefined) {
      this.#violations.add(`The log of ${job.id} is pushed after its end was reported`)
      return { status: 404, text: 'Not found' }
    }
    return this.#append(job, from, request)
  }

  #append(job: HubJob, from: number, { bytes, contentType }: LogRequest): Answer {
    const { batchLines, batchBytes, bodyBytes, logBytes } = this.limits
    const lines = countLines(bytes)
    const at = `The log of ${job.id} at line ${from}`
    if (!/^text\/plain\b/.test(contentType ?? '')) this.#violations.add(`${at}: ${contentType}`)
    if (lines === 0 || !bytes.toString('latin1').endsWith('\n')) {
      this.#violations.add(`${at}: pushed without a whole line`)
    }
    if (lines > batchLines || (bytes.length > batchBytes && lines > 1)) {
      this.#violations.add(`${at}: ${lines} lines, ${bytes.length} bytes in one request`)
    }
    if (bytes.length > bodyBytes) return { status: 413, text: 'Request entity too large' }
    if (job.isTrimmed) this.#violations.add(`${at}: pushed although there is no more space`)
    if (job.log.sizeOf(from) + bytes.length > logBytes) {
      job.isTrimmed = true
      return { status: 422, text: 'No more space' }
    }
    if (job.log.append(from, bytes)) this.#violations.add(`${at}: lines before it are missing`)
    return { status: 200 }
  }
}

interface Lifetime {
  readonly lifetimeSeconds?: number
}

export interface LogRequest {
  readonly authorization: string | undefined
  readonly contentType: string | undefined
  readonly bytes: Buffer
}
