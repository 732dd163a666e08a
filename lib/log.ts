/**
 * The agent's own log: what it has to say beside the log of the job.
 *
 * @module
 */

import { withoutLogins } from './errors.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/**
 * One method per level. A message may have several lines; secrets never enter it. Control characters
 * are escaped, whoever's they are: a log is read on terminals. A value from outside goes in by
 * {@link oneLine}, so that it cannot pass for a further line.
 */
export type Logger = Readonly<Record<LogLevel, (message: string) => void>>

export interface LogEntry {
  readonly level: LogLevel
  readonly message: string
  /** The id of the job it belongs to. */
  readonly job?: string | undefined
}

export interface LoggerOptions {
  /** Receives one whole entry, newline included. */
  readonly write: (text: string) => void
  /** The least that is written. Default `info`. */
  readonly level?: LogLevel
  /** Default: for a person who has called the agent and sees what it says at once. */
  readonly format?: (entry: LogEntry) => string
  /** The job all entries belong to. */
  readonly job?: string | undefined
}

export function createLogger(options: LoggerOptions): Logger {
  const { write, level = 'info', format = formatPlain, job } = options
  const least = LOG_LEVELS.indexOf(level)
  const at = (own: LogLevel) => (message: string) => {
    if (LOG_LEVELS.indexOf(own) < least) return
    write(format({ level: own, message: escapeControls(withoutLogins(message), '\n\t'), job }))
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Begins with `agent: LEVEL: `; further lines are indented. */
function formatPlain({ level, message }: LogEntry): string {
  return `agent: ${level}: ${indent(message)}\n`
}

/** For the log of a server on a terminal or in a file: `2026-01-31T12:00:00.000Z warn  [job 7] message`. */
export function formatText({ level, message, job }: LogEntry): string {
  const about = job === undefined ? '' : `[job ${oneLine(job)}] `
  return `${new Date().toISOString()} ${level.padEnd(5)} ${about}${indent(message)}\n`
}

/** One JSON object a line: `time` (ISO 8601, milliseconds), `level`, `job` where there is one, `message`. */
export function formatJson({ level, message, job }: LogEntry): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, job, message: message.trimEnd() })}\n`
}

/** A value from outside, as it may stand in a message. */
export function oneLine(value: string): string {
  return escapeControls(value, '')
}

/** What moves a cursor, ends a line, turns the direction of writing, or is no character. */
const CONTROLS = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]/gu

/** @param kept those that stay as they are */
function escapeControls(text: string, kept: string): string {
  return text.replace(CONTROLS, (character) => {
    if (kept.includes(character)) return character
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

function indent(message: string): string {
  return message.trimEnd().replaceAll('\n', '\n  ')
}
