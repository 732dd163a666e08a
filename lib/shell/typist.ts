/**
 * Hands a directive to the shell: waits until it asks, types the line, sees it start. Whatever has
 * become of the shell, each wait has an end.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { formatLine, type StepLine } from './marks.ts'
import type { Refusal } from './refusal.ts'

/** A busy machine takes a while to fork; a shell that has not asked by then never will. */
const ASK_LIMIT_MS = 20_000

/** From typing to the start: the line may have been eaten, by a program that reads the terminal. */
const START_LIMIT_MS = 3_000

/** A line that was torn is asked for again at once. */
const MAX_TRIES = 5

/** How exactly limits are kept. */
const POLL_MS = 100

export interface TypistOptions {
  /** Types, and drops the echo if there is one. */
  readonly type: (line: string) => void
  /** Whether the shell's output waits for a slow log: its marks may be behind it. */
  readonly isStalled: () => boolean
}

/** What the shell says when it asks. */
interface Question {
  readonly token: string
  readonly pid: number
  /** Programs of the job run in the background. */
  readonly isBusy: boolean
  /** Of the line it waits for. */
  readonly length: number
}

export class Typist {
  readonly #options: TypistOptions
  /** Absent where the shell has none. */
  #stty = ''
  #question: Question | undefined
  /** The one before, and the process after which nothing can have been started. */
  #last: { readonly pid: number; readonly isBusy: boolean } | undefined
  #state: 'ended' | 'started' | 'waiting' = 'waiting'
  #news = Promise.withResolvers<void>()

  constructor(options: TypistOptions) {
    this.#options = options
  }

  get hasStarted(): boolean {
    return this.#state === 'started'
  }

  ready(stty: string): void {
    this.#stty = stty
  }

  asked(token: string, facts: string): void {
    const [pid, idle, length] = facts.split(' ')
    this.#question = { token, pid: Number(pid), isBusy: idle === '0', length: Number(length) }
    this.#tell()
  }

  started(): void {
    this.#state = 'started'
    this.#tell()
  }

  /** @returns whether what has ended is a directive, and not the try to read one */
  ended(): boolean {
    const { hasStarted } = this
    if (!hasStarted) this.#state = 'ended'
    this.#tell()
    return hasStarted
  }

  /** @returns why the directive does not begin; undefined when it has */
  async handOver(line: Omit<StepLine, 'stty'>): Promise<Refusal | undefined> {
    this.#state = 'waiting'
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const asked = await this.#hear(ASK_LIMIT_MS)
      const question = this.#question
      if (question === undefined) return asked === 'nothing' ? 'not-asked' : 'not-read'
      this.#question = undefined
      const stty = this.#mayHaveChanged(question, tries) ? this.#stty : ''
      this.#last = { pid: question.pid + (stty === '' ? 0 : 1), isBusy: question.isBusy }
      this.#options.type(formatLine(question.token, question.length, { ...line, stty }))
      const answer = await this.#hear(START_LIMIT_MS)
      if (answer === 'started') return undefined
      if (answer === 'ended') return 'not-read'
      this.#question ??= question // the line is gone, and the shell still waits for it
    }
    return 'not-taken'
  }

  /**
   * The shell asks from a process of its own. When that is the very next one in its world, nothing was
   * started since it asked last, and so there was nobody to change the terminal's mode; unless
   * somebody had been started earlier and still runs.
   */
  #mayHaveChanged({ pid, isBusy }: Question, tries: number): boolean {
    if (this.#last === undefined) return isBusy // the boot script has just set it
    return tries > 0 || isBusy || this.#last.isBusy || pid !== this.#last.pid + 1
  }

  /** Waits for a question, or for the directive's start or end. */
  async #hear(limitMs: number): Promise<'asked' | 'ended' | 'nothing' | 'started'> {
    for (let passedMs = 0; ; ) {
      const news = this.#news.promise
      if (this.#state !== 'waiting') return this.#state
      if (this.#question !== undefined) return 'asked'
      if (passedMs >= limitMs) return 'nothing'
      const poll = new AbortController()
      const isOver = await Promise.race([news, sleep(POLL_MS, true, { signal: poll.signal })])
      poll.abort()
      if (isOver && !this.#options.isStalled()) passedMs += POLL_MS
    }
  }

  #tell(): void {
    this.#news.resolve()
    this.#news = Promise.withResolvers<void>()
  }
}
