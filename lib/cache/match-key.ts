/**
 * A key as a regular expression over the keys there are.
 *
 * @module
 */

import { runInNewContext } from 'node:vm'
import { CacheError } from '../errors.ts'

/** An expression can be written so that it takes longer than the universe lasts. */
const LIMIT_MS = 1_000

/** Flags in front, as other tools take them: `(?i)name`. */
const FLAGS = /^\(\?([ims]+)\)/

/**
 * @param keys the best first
 * @returns the first that matches; undefined when none does, or the pattern is no expression
 * @throws {CacheError} when that takes too long
 */
export function findMatch(pattern: string, keys: readonly string[]): string | undefined {
  const [front = '', flags = ''] = FLAGS.exec(pattern) ?? []
  let expression: RegExp
  try {
    expression = new RegExp(pattern.slice(front.length), flags)
  } catch {
    return undefined // then it is only a name, and that one is not there
  }
  try {
    const find = 'keys.find((key) => expression.test(key))'
    return runInNewContext(find, { keys, expression }, { timeout: LIMIT_MS }) as string | undefined
  } catch (cause) {
    throw new CacheError(`'${pattern}' takes too long to be matched with the keys there are`, {
      hint: 'Write the expression without repetitions inside repetitions.',
      cause,
    })
  }
}
