/**
 * What is secret in one job, and the texts of that job without it (see lib/masking/README.md).
 *
 * @module
 */

import { MaskedStream } from './masked-stream.ts'
import { PatternIndex } from './pattern-index.ts'
import { toSecret } from './secret.ts'
import { Symbols } from './symbols.ts'

/** Some 30 MB of memory. A password takes 15 to 30 of them, a key of 2 KB some 250. */
const MAX_PATTERNS = 50_000

/**
 * From now on the value is masked, in all texts. Repeatable.
 *
 * @returns what of it is not, in words that follow its name; undefined when all of it is
 */
export type AddSecret = (value: Uint8Array) => string | undefined

export class Masking {
  readonly #index = new PatternIndex()
  readonly #symbols = new Symbols()
  readonly #known = new Set<string>()

  readonly add: AddSecret = (value) => {
    const { patterns, exposed } = toSecret(value)
    for (const pattern of patterns) {
      const key = `${pattern.maxBreaks} ${pattern.text}`
      if (this.#known.has(key)) continue
      if (this.#known.size >= MAX_PATTERNS) return 'is not masked: there are too many secrets'
      this.#known.add(key)
      this.#index.add(pattern)
    }
    return exposed
  }

  /** A whole text, for which nothing has to be held back. */
  mask(text: string): string {
    if (this.#index.isEmpty) return text
    const stream = this.open()
    return stream.push(text) + stream.end()
  }

  /** For a text that arrives in pieces. Secrets that are added later are masked in it from then on. */
  open(): MaskedStream {
    return new MaskedStream(this.#index, this.#symbols)
  }
}
