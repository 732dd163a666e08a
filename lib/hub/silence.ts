/**
 * What an agent does when syncs fail, depending on how long they have. Pure, but for the clock and the log.
 *
 * @module
 */

import type { Logger } from '../log.ts'

export interface SilenceOptions {
  readonly log: Logger
  /** How long a job may continue once the agent was told to end. */
  readonly graceMs: number
  /** The registration is only needed for its job. */
  readonly isOutdated: boolean
  /** Milliseconds. Default: `performance.now`. */
  readonly now?: () => number
}

export interface FailedSync {
  /** The control plane does not know the agent: 404. */
  readonly isUnknown: boolean
  /** `over`: only its result still has to be reported. */
  readonly job: 'going' | 'none' | 'over'
}

/**
 * `unknown`: the registration is lost; `stop-job`: the control plane cannot do it; `give-up`: the
 * agent was told to end, and ends without reporting.
 */
export type Advice = 'give-up' | 'retry' | 'stop-job' | 'unknown'

/** A job is given up after this many 404 within the window, the first and last at least this far apart. */
const UNKNOWN_TIMES = 3
const UNKNOWN_WINDOW_MS = 60_000
const UNKNOWN_LEAST_MS = 5_000

/** For an agent that was told to end. */
const CONTACT_LIMIT_MS = 5_000

/** When the original agent would kill its job. */
const LONG_MS = 600_000

/** When the control plane fails the job of an agent that it has lost. */
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
    const isLong = now - Math.max(this.#lastContact, this.#interruptedAt) >= CONTACT_LIMIT_MS
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
    const goesOn = job === 'none' ? '' : ', and its job continues'
    this.#options.log.error(
      `No sync has succeeded for ${LONG_MS / 60_000} minutes: the agent keeps trying${goesOn}`,
    )
  }
}
