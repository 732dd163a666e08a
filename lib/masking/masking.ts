/**
 * The secrets of one job, and masking them in its texts (see lib/masking/README.md).
 *
 * @module
 */

import { MaskedStream } from './masked-stream.ts'
import { PatternIndex } from './pattern-index.ts'
import { toSecret } from './secret.ts'
import { Symbols } from './symbols.ts'

/** About 30 MB of memory. A password takes 15 to 30 patterns, a key of 2 KB about 250. */
const MAX_PATTERNS = 50_000

/**
 * Masks the value in all texts from now on. Repeatable.
 *
 * @returns which part of it is not masked, to be printed after its name; undefined when all of it is
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

  /** Masks a whole text, for which nothing has to be held back. */
  mask(text: string): string {
    if (this.#index.isEmpty) return text
    const stream = this.open()
    return stream.push(text) + stream.end()
  }

  /** For a text that arrives in chunks. Secrets that are added later are masked from then on. */
  open(): MaskedStream {
    return new MaskedStream(this.#index, this.#symbols)
  }
}
