/**
 * Other programs of the system, run to their end.
 *
 * @module
 */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { ServiceError } from '../errors.ts'

/** Whether systemd is what runs this machine. @see sd_booted(3) */
export function hasSystemd(): boolean {
  return existsSync('/run/systemd/system')
}

/**
 * @returns standard output
 * @throws {ServiceError} with what the program said when it fails
 */
export async function runProgram(program: string, ...args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, args)).stdout
  } catch (cause) {
    const { stderr = '', message } = cause as Error & { stderr?: string }
    throw new ServiceError(`${program} ${args.join(' ')} failed: ${stderr.trim() || message}`, {
      hint: 'Correct the cause and run the command again: it is safe to repeat.',
      cause,
    })
  }
}

/** Whether it ends with 0; for questions. */
export async function succeeds(program: string, ...args: readonly string[]): Promise<boolean> {
  try {
    await runProgram(program, ...args)
    return true
  } catch {
    return false // "no" is an answer
  }
}
