/**
 * Splits a command line into its arguments, as a shell would, and expands nothing.
 *
 * @module
 */

import { split } from 'shlex'

/**
 * The rules are those of Python's `shlex`, by which compose files have long been read: quotes and
 * backslashes group, `$`, globs, `#` and operators stand for themselves.
 *
 * @returns undefined when a quote or an escape is left open
 */
export function splitCommand(text: string): readonly string[] | undefined {
  try {
    return split(text)
  } catch {
    return undefined // its only errors: the text ends within quotes, or after a backslash
  }
}
