/**
 * Hands a directive to a shell that has a gate. Usually that takes one line, for which the shell starts no
 * process; anything that has to be done before is done in a subshell.
 *
 * @module
 */

import { join } from 'node:path'
import { DIRECTIVE_FILE, MODE } from './boot.ts'
import { asFormat, markHead, markTail } from './marks.ts'
import { quoteWord } from './quote.ts'
import type { Refusal } from './refusal.ts'
import type { StartWatch } from './start-watch.ts'
import type { Gate } from './terminal.ts'
import type { NextText } from './typist.ts'

/** A shell that has not reached the gate by then never will. */
const START_LIMIT_MS = 20_000

export interface GatekeeperOptions {
  readonly watch: StartWatch
  readonly gate: Gate
  /** The usual directory of directives. */
  readonly directory: string
  /** Whether the shell's terminal gives end-of-file to readers, and passes output on unchanged. */
  readonly isModeRight: () => boolean
  /** The token of the next step. */
  readonly token: () => string
}

export class Gatekeeper {
  readonly #options: GatekeeperOptions
  /** Absent where the shell has none. */
  #stty = ''

  constructor(options: GatekeeperOptions) {
    this.#options = options
  }

  ready(stty: string): void {
    this.#stty = stty
  }

  /** @returns why the directive does not begin; undefined when it has */
  async handOver(next: NextText): Promise<Refusal | undefined> {
    const { watch, gate } = this.#options
    watch.begin()
    for (const line of this.#lines(next)) gate.say(line)
    const answer = await watch.hear(START_LIMIT_MS)
    if (answer === 'started') return undefined
    return answer === 'ended' ? 'not-read' : 'not-asked'
  }

  #lines({ status, path }: NextText): readonly string[] {
    const { directory, isModeRight } = this.#options
    const token = this.#options.token()
    const mark = asFormat(markHead('start', token) + markTail(token))
    const start = `\\builtin printf '${mark}' >/dev/tty`
    const isWrong = this.#stty !== '' && !isModeRight()
    const begin = isWrong ? `${setMode(quoteWord(this.#stty))}; ${start}` : start
    if (path !== join(directory, DIRECTIVE_FILE)) {
      const file = `\\builtin printf %s ${quoteWord(path)}; \\builtin exit ${status}`
      return [`${begin}; \\builtin return 1`, '\\builtin return 0', file]
    }
    if (status === 0) return [begin]
    return [`${begin}; \\builtin return 1`, `\\builtin return ${status}`]
  }
}

/**
 * By a program of the shell's own, which then knows the mode, and sets no other one after a program that
 * a signal has ended. Beside jobs it would be one of them, until `jobs` has told of all; in a subshell it is none.
 *
 * `exec -c`: beside a variable of 128 KB no program can be started but with an empty environment.
 */
function setMode(stty: string): string {
  const own = `${stty} ${MODE} </dev/tty >/dev/null 2>&1; \\builtin jobs >/dev/null`
  const inSubshell = `\\builtin exec -c ${stty} ${MODE} </dev/tty 2>/dev/null`
  return `\\builtin compgen -A job >/dev/null || \\builtin eval ${quoteWord(own)}; \\builtin : "$(${inSubshell})"`
}
