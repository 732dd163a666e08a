/**
 * What an agent does about syncs that fail, by how long they have. Pure, but for the clock and its log.
 *
 * @module
 */

import type { Logger } from '../log.ts'

export interface SilenceOptions {
  readonly log: Logger
  /** For the job of an agent that was told to end. */
  readonly graceMs: number
  /** The registration is of use only for its job. */
  readonly isOutdated: boolean
  /** Milliseconds. Default: `performance.now`. */
  readonly now?: () => number
}

export interface FailedSync {
  /** The control plane does not know the agent: 404. */
  readonly isUnknown: boolean
  /** `over`: only its end has still to be told. */
  readonly job: 'going' | 'none' | 'over'
}

/**
 * `unknown`: the registration is of no use any more; `stop-job`: nobody else will; `give-up`: the
 * agent was told to end, and ends without telling.
 */
export type Advice = 'give-up' | 'retry' | 'stop-job' | 'unknown'

/** A job is given up after so many 404 in this time, and not faster than that. */
const UNKNOWN_TIMES = 3
const UNKNOWN_WINDOW_MS = 60_000
const UNKNOWN_LEAST_MS = 5_000

/** For an agent that was told to end. */
const PATIENCE_MS = 5_000

/** When other agents would have killed their job. */
const LONG_MS = 600_000

/** When the control plane has failed the job by itself. */
const LOST_MS = 900_000

export class Silence {
  readonly #options: SilenceOptions
  readonly #now: () => number
  #lastContact: number
  #interruptedAt: number | undefined
  /** When the agent was told that it is unknown. */
  #unknownAt: number[] = []
  #isReported = false

  constructor(options: SilenceOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#lastContact = this.#now()
  }

  /** The agent was told to end. */
  interrupt(): void {
    this.#interruptedAt ??= this.#now()
  }

  /** A sync has been answered. */
  end(): void {
    this.#lastContact = this.#now()
    this.#unknownAt = []
    this.#isReported = false
  }

  judge({ isUnknown, job }: FailedSync): Advice {
    const now = this.#now()
    const silentMs = now - this.#lastContact
    this.#reportLong(silentMs, job)
    if (isUnknown && this.#isGivenUp(job, now)) return 'unknown'
    if (this.#options.isOutdated && silentMs > LOST_MS) return 'unknown'
    if (this.#interruptedAt === undefined) return 'retry'

    const graceEnd = this.#interruptedAt + this.#options.graceMs
    const isLong = now - Math.max(this.#lastContact, this.#interruptedAt) >= PATIENCE_MS
    if (job === 'none') return isLong ? 'give-up' : 'retry'
    if (now < graceEnd) return 'retry'
    if (job === 'over') return isLong ? 'give-up' : 'retry'
    return this.#lastContact < graceEnd ? 'stop-job' : 'retry'
  }

  #isGivenUp(job: FailedSync['job'], now: number): boolean {
    this.#unknownAt = [...this.#unknownAt.filter((at) => now - at <= UNKNOWN_WINDOW_MS), now]
    const [first = now] = this.#unknownAt
    if (job === 'none') return true
    return this.#unknownAt.length >= UNKNOWN_TIMES && now - first >= UNKNOWN_LEAST_MS
  }

  #reportLong(silentMs: number, job: FailedSync['job']): void {
    if (silentMs < LONG_MS || this.#isReported) return
    this.#isReported = true
    const goesOn = job === 'none' ? '' : ', and its job goes on'
    this.#options.log.error(
      `No sync has succeeded for ${LONG_MS / 60_000} minutes: the agent goes on trying${goesOn}`,
    )
  }
}
