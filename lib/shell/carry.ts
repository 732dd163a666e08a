/**
 * State of a directive that would show the agent's own commands, or act on them: `set -x`, `set -v`, and
 * the traps for DEBUG, RETURN and CHLD. The shell reports and drops it at the directive's end, and the next
 * directive begins by restoring it. Pure.
 *
 * @module
 */

import { quoteWord } from './quote.ts'
import type { DirectiveEnd } from './stream-parser.ts'

/** One of these traps, as `trap -p` prints it; in POSIX mode it also prints those that are not set. */
const TRAP = /trap -- (-|'(?:[^']|'\\'')*') (?:SIG)?(CHLD|DEBUG|RETURN)\r?\n/g

export class Carry {
  #status = 0
  #flags = ''
  /** Signal → handler, quoted. */
  #traps: ReadonlyMap<string, string> = new Map()

  /** `$?` for the next directive. */
  get status(): number {
    return this.#status
  }

  /** @param flags `$-` after the login scripts */
  begin(flags: string): void {
    this.#flags = flags
  }

  keep({ status, flags, traps }: DirectiveEnd): void {
    const shown = new Map<string, string>()
    // Begun without `set -T`, a sourced file does not see the trap for DEBUG, and so cannot have ended it.
    const debug = this.#traps.get('DEBUG')
    if (debug !== undefined && !this.#flags.includes('T')) shown.set('DEBUG', debug)
    for (const [, handler = '-', signal = ''] of traps.matchAll(TRAP)) {
      if (handler !== '-') shown.set(signal, handler)
    }
    this.#traps = shown
    this.#status = status
    this.#flags = flags
  }

  /** @returns the next directive's text, with all of it restored on the first line: line numbers stay the same */
  prepend(text: string): string {
    const [line = ''] = text.split('\n', 1)
    const prefix = this.#prefix()
    if (!this.#flags.includes('v')) return prefix + text
    // bash has read the first line before it is told to show what it reads.
    return `\\builtin printf '%s\\n' ${quoteWord(line)} >&2; ${prefix}\\builtin set -v; ${text}`
  }

  #prefix(): string {
    const has = (flag: string) => this.#flags.includes(flag)
    const set = (signal: string) => {
      const handler = this.#traps.get(signal)
      return handler === undefined ? [] : [setTrap(handler, signal)]
    }
    const first = [...set('CHLD'), ...set('RETURN')]
    const last = [...(has('x') ? ['\\builtin set -x'] : []), ...(has('T') ? set('DEBUG') : [])]
    if (first.length + last.length === 0) return ''
    // A trap for DEBUG is run by it, unseen. bash would end the shell by it, or run the trap for ERR.
    if (this.#status !== 0 && !has('e')) last.push(`(\\builtin exit ${this.#status})`)
    if (last.length > 0) first.push(`{ ${last.join('; ')}; } >/dev/null 2>&1`)
    return `${first.join('; ')}; `
  }
}

/** On one line, whatever its handler is. */
function setTrap(handler: string, signal: string): string {
  const command = `\\builtin trap -- ${handler} ${signal}`
  if (!command.includes('\n')) return command
  const escaped = command.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')
  return `\\builtin eval $'${escaped}'`
}
