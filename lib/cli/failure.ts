/**
 * Why a job has failed, as far as its events show: for somebody who looks at the end of a long log.
 *
 * @module
 */

import { constants } from 'node:os'
import { stripVTControlCharacters } from 'node:util'

/** Of the step that failed. */
const MAX_LINES = 10
const MAX_CHARACTERS = 4_000

/** A shell reports a command that a signal has ended with this plus the signal's number. */
const SIGNALLED = 128

const KILLED = SIGNALLED + constants.signals.SIGKILL

export interface FailureOptions {
  /** Lines about services that have ended. */
  readonly deadServices: readonly string[]
  /** The job cannot be attached to now, but could be with `--hold`. */
  readonly offersHold: boolean
}

/** Collects the end of each step's output; the first step that fails counts. */
export class FailureNotes {
  readonly #countOomKills: () => number
  #tail = ''
  #oomKills = 0
  #failed: { readonly title: string; readonly reason: string; readonly tail: string } | undefined

  /** @param countOomKills how often the kernel has killed a process on this machine for lack of memory */
  constructor(countOomKills: () => number) {
    this.#countOomKills = countOomKills
  }

  start(): void {
    this.#tail = ''
    this.#oomKills = this.#countOomKills()
  }

  add(output: string): void {
    this.#tail = (this.#tail + output).slice(-MAX_CHARACTERS)
  }

  finish(title: string, exitCode: number): void {
    if (exitCode === 0 || this.#failed !== undefined) return
    const kills = exitCode === KILLED ? this.#countOomKills() - this.#oomKills : 0
    const memory = kills > 0 ? ': the kernel ran out of memory meanwhile' : ''
    this.#failed = { title, reason: describeExitCode(exitCode) + memory, tail: this.#tail }
  }

  /** Of the step that failed. */
  get title(): string | undefined {
    return this.#failed?.title
  }

  /** @returns lines */
  describe({ deadServices, offersHold }: FailureOptions): readonly string[] {
    if (this.#failed === undefined) return []
    const { title, reason, tail } = this.#failed
    const lines = lastLines(tail)
    return [
      `${title}: ${reason}`,
      ...(lines.length === 0 ? [] : ['Its last lines:', ...lines.map((line) => `  ${line}`)]),
      ...deadServices,
      ...(offersHold
        ? ['To investigate, run it with --hold 30m, and agent attach from another terminal']
        : []),
    ]
  }
}

/** What it means in a shell. @see man 1 bash, EXIT STATUS */
export function describeExitCode(code: number): string {
  const signal = Object.entries(constants.signals).find(([, it]) => it === code - SIGNALLED)?.[0]
  const meaning = signal === undefined ? MEANINGS[code] : `ended by ${signal}`
  return meaning === undefined ? `exit code ${code}` : `exit code ${code}, ${meaning}`
}

const MEANINGS: Readonly<Record<number, string>> = {
  126: 'found but not executable',
  127: 'command not found',
}

/** Without cursor movements: of a progress bar, only its last state. */
function lastLines(tail: string): string[] {
  const lines = tail.split('\n').map((line) => line.slice(line.lastIndexOf('\r') + 1))
  const clean = lines.map((line) =>
    stripVTControlCharacters(line)
      .replace(/\p{Cc}/gu, ' ')
      .trimEnd(),
  )
  return clean.filter((line) => line !== '').slice(-MAX_LINES)
}
