/**
 * The figures of an agent type, from the control plane: a call that changes nothing, and also shows
 * whether the registration token is valid.
 *
 * @module
 */

import { messageOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { OutboundClient } from '../outbound.ts'

/** Of all agents of the type, on all machines. */
export interface TypeFigures {
  readonly jobs: { readonly queued: number; readonly running: number }
  readonly agents: { readonly idle: number; readonly occupied: number }
}

export interface TypeQuestion {
  /** `https://<endpoint>/api/v1/self_hosted_agents` */
  readonly baseUrl: string
  /** The registration token. */
  readonly token: string
  readonly client: OutboundClient
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** What came back, and the server's `Date` header. */
export interface TypeAnswer {
  readonly status: number
  readonly date: string
  /** Absent unless the server has answered the question. */
  readonly figures: TypeFigures | undefined
}

/** @throws {Error} when there was no answer. @see GET …/self_hosted_agents/metrics */
export async function askForType(question: TypeQuestion): Promise<TypeAnswer> {
  const { baseUrl, token, client, timeoutMs, signal } = question
  const { status, date, text } = await client.call({
    method: 'GET',
    url: `${baseUrl}/metrics`,
    headers: { authorization: `Token ${token}` },
    timeoutMs,
    signal,
  })
  return { status, date, figures: status === 200 ? parseFigures(text) : undefined }
}

/** Prometheus often scrapes in pairs: within this time the same answer serves all scrapes of this process. */
const MAX_AGE_MS = 5_000

/** Below Prometheus' default scrape timeout of ten seconds. */
const TIMEOUT_MS = 5_000

/**
 * @returns a function that requests the figures of the type, unless they are fresh. It never rejects:
 * without an answer it resolves with undefined, and the log says why, once until it succeeds again
 */
export function createTypeFigures(
  question: Omit<TypeQuestion, 'timeoutMs'> & { readonly log: Logger },
): () => Promise<TypeFigures | undefined> {
  const { log } = question
  let asked: Promise<TypeFigures | undefined> | undefined
  let askedAt = 0
  let problem: string | undefined
  const ask = async () => {
    const { figures, reason } = await askForType({ ...question, timeoutMs: TIMEOUT_MS }).then(
      (answer) => ({ ...answer, reason: `it answered ${answer.status}` }),
      (error: unknown) => ({ figures: undefined, reason: messageOf(error) }),
    )
    const isNew = figures === undefined && reason !== problem
    if (isNew) log.warn(`The control plane gives no figures of this agent type: ${reason}`)
    problem = figures === undefined ? reason : undefined
    return figures
  }
  return () => {
    const isFresh = asked !== undefined && performance.now() - askedAt < MAX_AGE_MS
    if (asked === undefined || !isFresh) {
      askedAt = performance.now()
      asked = ask()
    }
    return asked
  }
}

/** @returns undefined for anything else: a login page answers with 200 as well */
function parseFigures(text: string): TypeFigures | undefined {
  try {
    const { jobs, agents } = JSON.parse(text)
    const counts = [jobs.queued, jobs.running, agents.idle, agents.occupied]
    if (!counts.every((count) => Number.isSafeInteger(count) && count >= 0)) return undefined
    return {
      jobs: { queued: jobs.queued, running: jobs.running },
      agents: { idle: agents.idle, occupied: agents.occupied },
    }
  } catch {
    return undefined
  }
}
