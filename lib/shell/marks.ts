/**
 * What a job's shell prints between the job's own bytes, and what is typed to it. Each mark carries
 * a token that nobody can know before it is printed, so neither a control byte nor the copy of an
 * earlier mark is taken for one. Pure.
 *
 * @module
 */

import { createHash, randomBytes } from 'node:crypto'

/**
 * - `ready`, once: the login scripts are done.
 * - `ask`: the shell waits for the line of a step; again whenever it got another one.
 * - `start` and `end`: directly before a directive's first command and after its last.
 * - `told`, after `end`: what `trap -p` has shown stands between the two.
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

/** The line that is typed for a step: fields of fixed width, so that bash can read it whole. */
export const LINE = {
  /** The beginning of the step's token. */
  check: { at: 0, length: 8 },
  /** `$?` for the directive. */
  status: { at: 8, length: 3 },
  /** Path of its file, from the shell's directory. */
  file: { at: 11, length: 128 },
  /** The program that has to set the terminal's mode first; blank = none. */
  stty: { at: 139, length: 64 },
  end: '.',
  length: 204,
} as const

export interface StepLine {
  readonly status: number
  readonly file: string
  readonly stty: string
}

/** @throws {RangeError} for a name that is too long */
export function formatLine(token: string, { status, file, stty }: StepLine): string {
  const fields = [
    token.slice(0, LINE.check.length),
    String(status).padStart(LINE.status.length, '0'),
    file.padEnd(LINE.file.length),
    stty.padEnd(LINE.stty.length),
    LINE.end,
  ]
  const line = fields.join('')
  if (line.length !== LINE.length) throw new RangeError(`cannot be typed: ${line}`)
  return line
}
