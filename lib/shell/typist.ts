/**
 * Hands a directive to a shell through its terminal: waits until it asks, types the line, sees it start.
 *
 * @module
 */

import { basename, dirname } from 'node:path'
import { formatLine } from './marks.ts'
import type { Refusal } from './refusal.ts'
import type { Question, StartWatch } from './start-watch.ts'

/** A busy machine takes a while to fork; a shell that has not asked by then never will. */
const ASK_LIMIT_MS = 20_000

/** From typing to the start: the line may have been eaten, by a program that reads the terminal. */
const START_LIMIT_MS = 3_000

/** The shell asks again at once for a line that arrived damaged. */
const MAX_TRIES = 5

/** What is to be run next. */
export interface NextText {
  /** `$?` for it. */
  readonly status: number
  /** The path of its file, as the shell sees it. */
  readonly path: string
}

export interface TypistOptions {
  readonly watch: StartWatch
  /** The one that the shell's boot script knows. */
  readonly directory: string
  /** Types, and drops the echo if there is one. */
  readonly type: (line: string) => void
}

export class Typist {
  readonly #options: TypistOptions
  /** Absent where the shell has none. */
  #stty = ''
  /** The one before, and the process after which nothing can have been started. */
  #last: { readonly pid: number; readonly isBusy: boolean } | undefined

  constructor(options: TypistOptions) {
    this.#options = options
  }

  ready(stty: string): void {
    this.#stty = stty
  }

  /** @returns why the directive does not begin; undefined when it has */
  async handOver({ status, path }: NextText): Promise<Refusal | undefined> {
    const { watch, directory, type } = this.#options
    const file = dirname(path) === directory ? basename(path) : path
    watch.begin()
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const asked = await watch.hear(ASK_LIMIT_MS)
      const question = watch.take()
      if (question === undefined) return asked === 'nothing' ? 'not-asked' : 'not-read'
      const stty = this.#mayHaveChanged(question, tries) ? this.#stty : ''
      this.#last = { pid: question.pid + (stty === '' ? 0 : 1), isBusy: question.isBusy }
      type(formatLine(question.token, question.length, { status, file, stty }))
      const answer = await watch.hear(START_LIMIT_MS)
      if (answer === 'started') return undefined
      if (answer === 'ended') return 'not-read'
      watch.restore(question) // the line is gone, and the shell still waits for it
    }
    return 'not-taken'
  }

  /**
   * The shell asks from a process of its own. If its id is the next one in the PID namespace, nothing was
   * started since the last question, so nothing can have changed the terminal's mode, unless a program
   * that was started earlier is still running.
   */
  #mayHaveChanged({ pid, isBusy }: Question, tries: number): boolean {
    if (this.#last === undefined) return isBusy // the boot script has just set it
    return tries > 0 || isBusy || this.#last.isBusy || pid !== this.#last.pid + 1
  }
}
