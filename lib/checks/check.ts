/**
 * What a check is, and how all of them are made at once, each with a limit of its own.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Deadline } from '../async/abort.ts'
import { AgentError, messageOf, withCode } from '../errors.ts'
import type { ExecutorName } from '../request/job-request.ts'

/** What a check is about. */
export type Area = ExecutorName | 'machine' | 'serve' | 'start'

/**
 * A problem is what is there and does not work, or what nothing works without. A warning is what
 * only some uses need, or what is about to become a problem.
 */
export type State = 'ok' | 'problem' | 'warning'

export interface Verdict {
  readonly state: State
  /** What was found, in one line. No secrets. */
  readonly message: string
  /** What to do about it; always there unless all is well. */
  readonly remedy?: string
}

export interface Check {
  readonly area: Area
  readonly subject: string
  /**
   * Leaves nothing behind.
   *
   * @param signal aborted when the time is up
   * @returns undefined when there is nothing to say, as another check says why it cannot be made
   * @throws {AgentError} which makes it a problem, with the error's hint as the remedy
   */
  readonly examine: (signal: AbortSignal) => Promise<Verdict | undefined>
}

export interface Finding extends Verdict {
  readonly area: Area
  readonly subject: string
}

/** Longer than anything healthy takes, on a busy machine too. */
const LIMIT_MS = 5_000

/** For a check whose time is up to clear away what it began. */
const CLEARING_MS = 1_000

/** Never rejects, and ends within the limit whatever a check waits for. */
export async function examineAll(
  checks: readonly Check[],
  limitMs = LIMIT_MS,
): Promise<readonly Finding[]> {
  const findings = await Promise.all(
    checks.map(async ({ area, subject, examine }) => {
      const verdict = await examineOne(examine, limitMs)
      return verdict === undefined ? [] : [{ area, subject, ...verdict }]
    }),
  )
  return findings.flat()
}

export function ok(message: string): Verdict {
  return { state: 'ok', message }
}

export function warning(message: string, remedy: string): Verdict {
  return { state: 'warning', message, remedy }
}

export function problem(message: string, remedy: string): Verdict {
  return { state: 'problem', message, remedy }
}

/** The worst of all. */
export function overallState(findings: readonly Finding[]): State {
  const states = new Set(findings.map(({ state }) => state))
  if (states.has('problem')) return 'problem'
  return states.has('warning') ? 'warning' : 'ok'
}

async function examineOne(
  examine: Check['examine'],
  limitMs: number,
): Promise<Verdict | undefined> {
  const over = new AbortController()
  using deadline = new Deadline(limitMs)
  const limit = deadline.signal
  const examined = examine(limit).catch((error: unknown) => explainFailure(error, limit, limitMs))
  const overdue = sleep(limitMs + CLEARING_MS, undefined, { signal: over.signal }).then(
    () => explainFailure(limit.reason, limit, limitMs),
    () => examined,
  )
  try {
    return await Promise.race([examined, overdue])
  } finally {
    over.abort()
  }
}

function explainFailure(error: unknown, limit: AbortSignal, limitMs: number): Verdict {
  if (limit.aborted) {
    return problem(
      `did not finish within ${limitMs / 1_000} s`,
      'Find out what it is waiting for: a network file system, a login script, a service that hangs.',
    )
  }
  if (error instanceof AgentError) return problem(withCode(error), error.hint)
  return problem(
    `could not be examined: ${messageOf(error)}`,
    'Report this with the output of agent doctor.',
  )
}
