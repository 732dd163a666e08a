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
 * @param ending added to each line; ` || return 1` tells of a variable bash refuses (`UID`)
 * @throws {ContentError} for a name bash cannot have or the agent has itself, or a value with a NUL byte
 */
export function formatExports(variables: readonly Variable[], ending = ''): Buffer {
  return Buffer.concat(variables.map((variable) => formatExport(variable, ending)))
}

function formatExport({ name, value }: Variable, ending: string): Buffer {
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
  return Buffer.from(`export ${name}=${quoted}${ending}\n`, 'latin1')
}
