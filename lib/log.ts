/**
 * The agent's own log: what it has to say beside the log of the job.
 *
 * @module
 */

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

export type LogLevel = (typeof LEVELS)[number]

/** One method per level. A message may have several lines; secrets never enter it. */
export type Logger = Readonly<Record<LogLevel, (message: string) => void>>

export interface LoggerOptions {
  /** Receives one whole entry, newline included. */
  readonly write: (text: string) => void
  /** The least that is written. Default `info`. */
  readonly level?: LogLevel
}

/** Each entry begins with `agent: LEVEL: `; its further lines are indented. */
export function createLogger({ write, level = 'info' }: LoggerOptions): Logger {
  const least = LEVELS.indexOf(level)
  const at = (own: LogLevel) => (message: string) => {
    if (LEVELS.indexOf(own) < least) return
    write(`agent: ${own}: ${message.trimEnd().replaceAll('\n', '\n  ')}\n`)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
