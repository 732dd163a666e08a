/**
 * What is noted while a document is brought into the long form: what is wrong with it, and where each
 * field of the long form comes from, so that whatever is found later is told of the field as written.
 *
 * @module
 */

import type { Problem } from '../errors.ts'
import { formatPath, type Keys, parsePath } from './paths.ts'

/** A field in both forms: the keys that lead to it in the file, and its path in the long form. */
export interface Place {
  readonly from: Keys
  readonly to: string
}

export class Expansion {
  readonly problems: Problem[] = []
  readonly #origins = new Map<string, Keys>()

  report(keys: Keys, message: string): void {
    this.problems.push({ path: formatPath(keys), message })
  }

  /** @param keys of what the field of the long form was made from, all that is in it included */
  trace(to: string, keys: Keys): void {
    this.#origins.set(to, keys)
  }

  /** @returns the keys in the file, of a path in the long form */
  originOf(path: string): Keys {
    const keys = parsePath(path)
    for (let length = keys.length; length > 0; length--) {
      const origin = this.#origins.get(formatPath(keys.slice(0, length)))
      if (origin !== undefined) return [...origin, ...keys.slice(length)]
    }
    return keys
  }
}

/** One field of a place. */
export function within({ from, to }: Place, key: number | string): Place {
  return { from: [...from, key], to: `${to}${to === '' ? '' : '.'}${key}` }
}
