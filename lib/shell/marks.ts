/**
 * The marks that a job's shell prints between the job's own bytes, and the lines that are typed into it.
 * Each mark contains a token that nobody can know before it is printed, so neither a control byte nor a
 * copy of an earlier mark is mistaken for one. Pure.
 *
 * @module
 */

import { createHash, randomBytes } from 'node:crypto'

/**
 * - `ready`, once: the login scripts are done.
 * - `ask`: the shell waits for the line of a step; again whenever it got another one.
 * - `start` and `end`: directly before a directive's first command and after its last.
 * - `told`, after `end`: the output of `trap -p` is between the two.
 */
export type MarkKind = 'ask' | 'end' | 'ready' | 'start' | 'told'

/** 128 random bits in hex: unguessable, and harmless in a shell line or a file name. */
export function createToken(): string {
  return randomBytes(16).toString('hex')
}

/** Of a shell's step, counted from 0: whoever knows the shell's token can take over at any step. */
export function stepToken(shellToken: string, step: number): string {
  return createHash('sha256').update(`${shellToken} ${step}`).digest('hex').slice(0, 32)
}

/** What a mark begins with; its payload and {@link markTail} follow. */
export function markHead(kind: MarkKind, token: string): string {
  return `\x01${kind} ${token} `
}

export function markTail(token: string): string {
  return ` ${token}\x02`
}

/** One half of a mark, as a format of bash's `printf`. */
export function asFormat(half: string): string {
  return half.replace('\x01', '\\001').replace('\x02', '\\002')
}

/**
 * The line that is typed for a step, of a length that bash knows beforehand: bash reads it byte by byte,
 * with four system calls for each. So there is a short form, and a long one for what does not fit.
 */
export const LINE = {
  /** The beginning of the step's token. */
  check: { at: 0, length: 4 },
  /** `$?` for the directive. */
  status: { at: 4, length: 3 },
  /**
   * The program that has to set the terminal's mode first, if any; {@link LINE.separator}; the path of the
   * directive's file, from the shell's directory; blanks.
   */
  rest: { at: 7 },
  separator: '|',
  end: '.',
  /** In the place of `end`: ask again, for a long line. */
  more: ',',
  short: 40,
  long: 204,
} as const

export interface StepLine {
  readonly status: number
  readonly file: string
  readonly stty: string
}

/**
 * @returns a line that says all, or asks for the question that `length` is long enough for
 * @throws {RangeError} for a name that is too long
 */
export function formatLine(token: string, length: number, step: StepLine): string {
  const fill = (rest: string, end: string) =>
    [
      token.slice(0, LINE.check.length),
      String(step.status).padStart(LINE.status.length, '0'),
      rest.padEnd(length - LINE.rest.at - LINE.end.length),
      end,
    ].join('')
  const line = fill(`${step.stty}${LINE.separator}${step.file}`, LINE.end)
  if (line.length === length) return line
  if (length === LINE.long) throw new RangeError(`cannot be typed: ${line}`)
  return fill('', LINE.more)
}
