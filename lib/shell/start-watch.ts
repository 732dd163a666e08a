/**
 * Follows a directive that is being handed over: the shell asks for it, starts it, or ends without. The
 * wait is limited, whatever has happened to the shell.
 *
 * @module
 */

/** The precision of the limits. */
const POLL_MS = 100

/** What the shell reports when it asks. */
export interface Question {
  readonly token: string
  readonly pid: number
  /** Programs of the job run in the background. */
  readonly isBusy: boolean
  /** The length of the line it waits for. */
  readonly length: number
}

export class StartWatch {
  readonly #isStalled: () => boolean
  #question: Question | undefined
  #state: 'ended' | 'started' | 'waiting' = 'waiting'
  #news = Promise.withResolvers<void>()

  /** @param isStalled whether the shell's output waits for a slow log: its marks may be behind it */
  constructor(isStalled: () => boolean) {
    this.#isStalled = isStalled
  }

  get hasStarted(): boolean {
    return this.#state === 'started'
  }

  /** A directive is about to be handed over. */
  begin(): void {
    this.#state = 'waiting'
  }

  asked(token: string, facts: string): void {
    const [pid, idle, length] = facts.split(' ')
    this.#question = { token, pid: Number(pid), isBusy: idle === '0', length: Number(length) }
    this.#tell()
  }

  /** @returns the question to be answered, if there is one; it is then no longer pending */
  take(): Question | undefined {
    const question = this.#question
    this.#question = undefined
    return question
  }

  /** The answer has been lost, unless the shell has asked again. */
  restore(question: Question): void {
    this.#question ??= question
  }

  started(): void {
    this.#state = 'started'
    this.#tell()
  }

  /** @returns whether a directive has ended, rather than an attempt to read one */
  ended(): boolean {
    const { hasStarted } = this
    if (!hasStarted) this.#state = 'ended'
    this.#tell()
    return hasStarted
  }

  /** Waits for a question, or for the directive's start or end. */
  async hear(limitMs: number): Promise<'asked' | 'ended' | 'nothing' | 'started'> {
    for (let passedMs = 0; ; ) {
      if (this.#state !== 'waiting') return this.#state
      if (this.#question !== undefined) return 'asked'
      if (passedMs >= limitMs) return 'nothing'
      const isNews = await this.#hasNewsWithin(POLL_MS)
      if (!isNews && !this.#isStalled()) passedMs += POLL_MS
    }
  }

  /** A plain timer: every directive comes by here, and one that can be aborted takes a fifth of a millisecond. */
  async #hasNewsWithin(limitMs: number): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(resolve, limitMs, false)
    try {
      return await Promise.race([this.#news.promise.then(() => true), late])
    } finally {
      clearTimeout(timer)
    }
  }

  #tell(): void {
    this.#news.resolve()
    this.#news = Promise.withResolvers<void>()
  }
}
