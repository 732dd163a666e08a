/**
 * Environment variables as a file that bash can source, whatever bytes their values hold.
 *
 * @module
 */

import { ContentError } from '../errors.ts'
import { quoteWord } from './quote.ts'
import { refuseReservedName } from './reserved-names.ts'

/** A decoded environment variable; the value may hold any byte but NUL. */
export interface Variable {
  readonly name: string
  readonly value: Uint8Array
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * One `export NAME='…'` line a variable.
 *
 * @throws {ContentError} for a name that is invalid in bash or reserved by the agent, or a value with a NUL byte
 */
export function formatExports(variables: readonly Variable[]): Buffer {
  return Buffer.concat(variables.map((variable) => formatExport(variable)))
}

/**
 * The same for a job's own shell, whatever aliases and functions it has: it returns 1 at a variable that
 * bash refuses (`UID`).
 *
 * @throws {ContentError} as {@link formatExports} does
 */
export function formatCheckedExports(variables: readonly Variable[]): Buffer {
  const options = { command: '\\builtin export', ending: ' || \\builtin return 1' }
  return Buffer.concat(variables.map((variable) => formatExport(variable, options)))
}

function formatExport(
  { name, value }: Variable,
  { command, ending } = { command: 'export', ending: '' },
): Buffer {
  if (!NAME.test(name)) {
    throw new ContentError(`"${name}" is not a name a shell variable can have`, {
      hint: 'Use letters, digits and underscores, not beginning with a digit.',
    })
  }
  refuseReservedName(name)
  if (value.includes(0)) {
    throw new ContentError(`The value of ${name} contains a NUL byte`, {
      hint: 'No environment variable can hold one: inject a file instead.',
    })
  }
  // latin1 keeps every byte as one character, there and back.
  const quoted = quoteWord(Buffer.from(value).toString('latin1'))
  return Buffer.from(`${command} ${name}=${quoted}${ending}\n`, 'latin1')
}
