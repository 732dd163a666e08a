/**
 * A job's events as text for people, on a terminal.
 *
 * @module
 */

import { styleText } from 'node:util'
import stringWidth from 'string-width'
import { STEP_TITLES } from '../events/block-titles.ts'
import type { EventSink, JobEvent, JobResult } from '../events/event.ts'
import { FailureNotes } from './failure.ts'
import { LiveLine } from './live-line.ts'
import { TerminalGuard } from './terminal-guard.ts'

export interface ViewOptions {
  /** Resolves when it can take more. */
  readonly write: (text: string) => Promise<void> | void
  readonly colours: boolean
  /** Width of the terminal, in characters. */
  readonly columns: number
  /** Default: it is none. */
  readonly isTerminal?: boolean
  /** Milliseconds on a clock that never goes back. Default: the process's own. */
  readonly now?: () => number
  /** How often the kernel has killed a process for lack of memory. Default: never. */
  readonly countOomKills?: () => number
  /** What is being waited for; shown on a terminal as long as there is nothing else to show. */
  readonly describeWaits?: () => string
  /** A failed job is held, so that it can be attached to. */
  readonly isHeld?: boolean
}

interface StepRow {
  readonly title: string
  readonly exitCode: number
  readonly elapsedMs: number
}

type Style = Parameters<typeof styleText>[0]

const RESULT_STYLES: Readonly<Record<JobResult, Style>> = {
  passed: ['green', 'bold'],
  failed: ['red', 'bold'],
  stopped: ['yellow', 'bold'],
}

const ESCAPE = '\x1b'
const RESET = '\x1b[0m'

/** The agent's own steps are shown less prominently than the job's commands. */
const OWN_STEPS: ReadonlySet<string> = new Set(Object.values(STEP_TITLES))

/** With less, a table has no room for names. */
const MIN_TITLE_COLUMNS = 20

/** "  ✗ " before the name; two gaps, an exit code and a time after it. */
const OTHER_COLUMNS = 24

export class JobView implements EventSink {
  readonly #options: ViewOptions
  readonly #rows: StepRow[] = []
  readonly #now: () => number
  readonly #failure: FailureNotes
  readonly #guard: TerminalGuard
  readonly #live: LiveLine | undefined
  #deadServices: readonly string[] = []
  #jobStartedAt = 0
  #stepStartedAt = 0
  #endsWithNewline = true
  /** A step may not reset its colours. */
  #mayBeColoured = false

  constructor(options: ViewOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#guard = new TerminalGuard(options.isTerminal ?? false)
    const { write, columns, describeWaits: describe } = options
    if (options.isTerminal === true && describe !== undefined) {
      this.#live = new LiveLine({ write, columns, describe })
    }
    this.#failure = new FailureNotes(options.countOomKills ?? (() => 0))
  }

  /** Lines about services that have ended, for a failed job. */
  noteDeadServices(lines: readonly string[]): void {
    this.#deadServices = lines
  }

  write(event: JobEvent): Promise<void> | void {
    const text = this.#render(event)
    if (event.event === 'job_finished') this.#live?.end()
    return text === ''
      ? undefined
      : this.#options.write(`${this.#live?.makeRoom(text) ?? ''}${text}`)
  }

  #render(event: JobEvent): string {
    switch (event.event) {
      case 'job_started':
        this.#jobStartedAt = this.#now()
        return ''
      case 'cmd_started':
        this.#stepStartedAt = this.#now()
        this.#endsWithNewline = true
        this.#mayBeColoured = false
        this.#failure.start()
        return `${this.#style('cyan', '▶')} ${this.#title(event.directive)}\n`
      case 'cmd_output':
        this.#endsWithNewline = event.output.endsWith('\n')
        this.#mayBeColoured ||= event.output.includes(ESCAPE)
        this.#failure.add(event.output)
        return this.#guard.push(event.output)
      case 'cmd_finished':
        return this.#finishStep(event.directive, event.exit_code)
      case 'job_finished':
        return this.#summary(event.result)
    }
  }

  #finishStep(directive: string, exitCode: number): string {
    const elapsedMs = this.#now() - this.#stepStartedAt
    this.#rows.push({ title: titleOf(directive), exitCode, elapsedMs })
    this.#failure.finish(titleOf(directive), exitCode)
    const reset = this.#options.colours && this.#mayBeColoured ? RESET : ''
    const lineEnd = this.#endsWithNewline ? '' : '\n'
    const time = formatElapsed(elapsedMs)
    const line =
      exitCode === 0
        ? this.#style('dim', `✓ ${time}`)
        : this.#style('red', `✗ exit code ${exitCode}, ${time}`)
    return `${this.#guard.end()}${reset}${lineEnd}${line}\n\n`
  }

  #summary(result: JobResult): string {
    const room = Math.max(MIN_TITLE_COLUMNS, this.#options.columns - OTHER_COLUMNS)
    const longest = this.#rows.reduce((most, { title }) => Math.max(most, stringWidth(title)), 4)
    const width = Math.min(room, longest)
    const lines = this.#rows.map((row) => this.#row(row, width))
    const total = formatElapsed(this.#now() - this.#jobStartedAt)
    const head = this.#style('dim', `  ${'Step'.padEnd(width + 2)}  Exit        Time`)
    const verdict = this.#style(RESULT_STYLES[result], `Job ${result}`)
    const table = lines.length === 0 ? '' : `${head}\n${lines.join('')}\n`
    return `${table}${result === 'failed' ? this.#explain() : ''}${verdict} in ${total}\n`
  }

  #explain(): string {
    const { isHeld = false } = this.#options
    // When one of the agent's own steps fails, there is no shell to attach to.
    const offersHold = !isHeld && !OWN_STEPS.has(this.#failure.title ?? '')
    const [what, ...lines] = this.#failure.describe({
      deadServices: this.#deadServices,
      offersHold,
    })
    if (what === undefined) return ''
    return [this.#style('red', `✗ ${what}`), ...lines.map((line) => `  ${line}`), '\n'].join('\n')
  }

  #row({ title, exitCode, elapsedMs }: StepRow, width: number): string {
    const mark = exitCode === 0 ? this.#style('green', '✓') : this.#style('red', '✗')
    const name = fit(title, width)
    const code = String(exitCode).padStart(4)
    return `  ${mark} ${name}  ${exitCode === 0 ? code : this.#style('red', code)}  ${formatElapsed(elapsedMs).padStart(10)}\n`
  }

  #title(directive: string): string {
    return this.#style(OWN_STEPS.has(directive) ? 'dim' : 'bold', titleOf(directive))
  }

  #style(style: Style, text: string): string {
    return this.#options.colours ? styleText(style, text, { validateStream: false }) : text
  }
}

/** A directive's first line, with an ellipsis if there are more, and without control characters. */
function titleOf(directive: string): string {
  const [first = '', ...rest] = directive.trim().split('\n')
  const clean = first.replace(/\p{Cc}/gu, ' ').trimEnd()
  return rest.length === 0 ? clean : `${clean} …`
}

/** Exactly `width` columns of the terminal, in which an ideograph or an emoji takes two. */
function fit(text: string, width: number): string {
  const missing = width - stringWidth(text)
  if (missing >= 0) return text + ' '.repeat(missing)
  let start = ''
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (stringWidth(start + segment) >= width) break
    start += segment
  }
  return `${start}…${' '.repeat(width - 1 - stringWidth(start))}`
}

/** `12 ms`, `3.4 s`, `2 min 05 s`. */
export function formatElapsed(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}
