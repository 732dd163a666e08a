/**
 * Gets the request of a job, or the reason why the job cannot run.
 *
 * @module
 */

import { retry } from '../async/retry.ts'
import { ControlPlaneError, RequestError, toLine } from '../errors.ts'
import type { JobRequest } from '../request/job-request.ts'
import { parseJobRequestInSlices } from '../request/parse-job-request.ts'
import type { RegisteredAgent } from './control-plane.ts'

export type FetchedJob = { readonly request: JobRequest } | UnfetchedJob

export interface UnfetchedJob {
  /** Lines for the job's log. */
  readonly problem: string
  /** The control plane says that the job belongs to another agent: it may not take its log, either. */
  readonly isForeign: boolean
}

export interface FetchOptions {
  readonly agent: RegisteredAgent
  /** Called with the first failure, which need not be the last. */
  readonly onFailure: (error: unknown) => void
  readonly signal: AbortSignal
}

/** Ten tries in all, the second one soon: most failures are a stale connection. */
const DELAYS_MS = [200, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000]

/** What the control plane sends in place of a value that it hands out only once. */
const SANITIZED = '{SANITIZED}'

const SECRETS_GONE = `The control plane has delivered this job before, and hands out its secrets only once.
They are gone, so the job cannot run. Start the job again.
`

/** @throws the signal's reason, or an AbortError */
export async function fetchJob(id: string, options: FetchOptions): Promise<FetchedJob> {
  const { agent, onFailure, signal } = options
  try {
    const document = await retry(async () => parse(id, await agent.fetchJob(id, { signal })), {
      ...{ delaysMs: DELAYS_MS, signal, onRetry: onFailure },
      isRetryable: (error) => error instanceof ControlPlaneError && error.status !== 404,
    })
    if (isSanitized(document)) return { problem: SECRETS_GONE, isForeign: false }
    const request = await parseJobRequestInSlices(document)
    return { request: { ...request, callbacks: {} } } // nobody waits for them when the log is pushed
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof ControlPlaneError || error instanceof RequestError) {
      const isForeign = error instanceof ControlPlaneError && error.status === 404
      return { problem: describe(error), isForeign }
    }
    throw error
  }
}

/**
 * A proxy in between may answer with anything, and an object without commands would be a job that
 * passes without doing its work.
 *
 * @throws {ControlPlaneError} that quotes nothing of the answer, since secrets are in it
 */
function parse(id: string, text: string): object {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    document = undefined // reported below
  }
  if (isOfJob(id, document)) return { ...document, job_id: id } // whatever it calls itself
  throw new ControlPlaneError('The answer is not the request of this job', {
    hint: 'Check for a proxy between the agent and the control plane.',
  })
}

function isOfJob(id: string, document: unknown): document is object {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return false
  const { job_id, id: olderId, commands } = document as Readonly<Record<string, unknown>>
  return job_id === id || olderId === id || Array.isArray(commands)
}

/**
 * Looks at the values of variables and files, at any depth; a directive may contain that text.
 * Without recursion: a document may be nested more deeply than calls can be.
 */
function isSanitized(document: object): boolean {
  const left: object[] = [document]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    for (const [key, value] of Object.entries(next)) {
      if (value === SANITIZED && (key === 'value' || key === 'content')) return true
      if (typeof value === 'object' && value !== null) left.push(value)
    }
  }
  return false
}

function describe(error: ControlPlaneError | RequestError): string {
  if (error instanceof RequestError) {
    return `The control plane sent an invalid job request:\n${error.message}\n`
  }
  const isFinal = error.status === 404 // others were retried, to no avail
  return `The job could not be fetched from the control plane.\n${isFinal ? toLine(error) : error.message}\n`
}
