/**
 * The marks a job's shell prints between the job's own bytes. Each carries a token that nobody can
 * know before it is printed, so neither a control byte nor the copy of an earlier mark is taken
 * for one.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'

const OPEN = '\x01'
const CLOSE = '\x02'

/** 128 random bits in hex: unguessable, and harmless in a shell line or a file name. */
export function createToken(): string {
  return randomBytes(16).toString('hex')
}

/** Printed once, when the shell can take directives. */
export function readyMark(token: string, facts: string): string {
  return `${OPEN}ready ${token} ${facts}${CLOSE}`
}

/** Printed directly before a directive's first command. */
export function startMark(token: string): string {
  return `${OPEN}start ${token}${CLOSE}`
}

/** Printed directly after a directive's last command. */
export function endMark(token: string, status: string): string {
  return `${OPEN}end ${token} ${status}${CLOSE}`
}

/** What every {@link readyMark} of this token begins with; the facts and {@link CLOSE} follow. */
export function readyPrefix(token: string): string {
  return readyMark(token, '').slice(0, -CLOSE.length)
}

/** What every {@link endMark} of this token begins with; the status and {@link CLOSE} follow. */
export function endPrefix(token: string): string {
  return endMark(token, '').slice(0, -CLOSE.length)
}

/** Ends every mark. */
export const MARK_CLOSE = CLOSE
