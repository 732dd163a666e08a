/**
 * How long a job may take, and how long it may print nothing.
 *
 * @module
 */

import { Deadline } from '../async/abort.ts'
import type { Executor } from '../executors/executor.ts'
import type { JobRequest } from '../request/job-request.ts'
import type { OpenBlock } from './job-blocks.ts'

export interface TimeLimits {
  /** From the job's first event to its last epilogue. Absent or 0 = none. */
  readonly jobTimeoutMs?: number | undefined
  /** Between two outputs in the job's log. Absent or 0 = none. */
  readonly noOutputTimeoutMs?: number | undefined
}

/** Set by the host's owner. */
interface Configured {
  /** In milliseconds. */
  readonly jobTimeout?: number | undefined
  readonly noOutputTimeout?: number | undefined
}

/** Limits the wait for a hanging engine, which may be the reason why the job takes so long. */
const LOOK_LIMIT_MS = 5_000

/** Node fires longer timers at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The host's owner and the job's author may both set a limit: the shorter one counts. */
export function timeLimitsOf(
  request: Pick<JobRequest, 'noOutputTimeoutInSeconds' | 'timeoutInSeconds'>,
  config: Configured,
): TimeLimits {
  const { timeoutInSeconds = 0, noOutputTimeoutInSeconds = 0 } = request
  return {
    jobTimeoutMs: shorter(config.jobTimeout, timeoutInSeconds * 1_000),
    noOutputTimeoutMs: shorter(config.noOutputTimeout, noOutputTimeoutInSeconds * 1_000),
  }
}

function shorter(...limits: readonly (number | undefined)[]): number | undefined {
  const given = limits.filter((limit) => limit !== undefined && limit > 0) as number[]
  return given.length === 0 ? undefined : Math.min(...given)
}

export class TimeLimitWatch {
  readonly #limits: TimeLimits
  readonly #onReached: (problem: string) => void
  readonly #timers = new Map<string, NodeJS.Timeout>()
  #lastOutputAt = performance.now()

  /** @param onReached called at most once, with a sentence for the job's author */
  constructor(limits: TimeLimits, onReached: (problem: string) => void) {
    this.#limits = limits
    this.#onReached = onReached
  }

  /** Call this when the job begins. */
  start(): void {
    const { jobTimeoutMs, noOutputTimeoutMs } = this.#limits
    const startedAt = performance.now()
    this.#lastOutputAt = startedAt
    this.#watch(jobTimeoutMs, () => startedAt, 'The job has taken longer than its limit of')
    this.#watch(noOutputTimeoutMs, () => this.#lastOutputAt, 'There has been no output for')
  }

  /** The job has printed something. Cheap: called for every piece of output. */
  noteOutput(): void {
    this.#lastOutputAt = performance.now()
  }

  /** Repeatable. */
  end(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #watch(limitMs: number | undefined, since: () => number, problem: string): void {
    if (limitMs === undefined || limitMs === 0) return
    const check = () => {
      const leftMs = since() + limitMs - performance.now()
      if (leftMs > 0) this.#timers.set(problem, setTimeout(check, Math.min(leftMs, MAX_TIMER_MS)))
      else this.#reach(`${problem} ${formatSeconds(limitMs)}.`)
    }
    check()
  }

  #reach(problem: string): void {
    this.end()
    this.#onReached(problem)
  }
}

/** Lines that describe the state of a job that has reached a limit, while it still runs. Never rejects. */
export async function describeLimitReached(
  problem: string,
  open: OpenBlock | undefined,
  executor: Pick<Executor, 'describeProcesses'>,
): Promise<readonly string[]> {
  const running =
    open === undefined
      ? ''
      : `Running for ${formatSeconds(performance.now() - open.since)}: ${open.directive.trimEnd()}\n`
  using deadline = new Deadline(LOOK_LIMIT_MS)
  const processes = await executor
    .describeProcesses(deadline.signal)
    .then((lines) => (lines === '' ? '' : `Its processes:\n${lines}`))
    .catch((error: Error) => `Its processes could not be listed: ${error.message}\n`)
  return `${problem}\n${running}${processes}`.match(/.*\n/g) ?? []
}

function formatSeconds(ms: number): string {
  return `${Number((ms / 1_000).toFixed(1))} s`
}
