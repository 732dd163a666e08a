/**
 * Masks secrets in a text that arrives in chunks. The result does not depend on where the chunks were
 * cut: text that may be the beginning of a secret is held back.
 *
 * @module
 */

import type { Interval, PatternIndex } from './pattern-index.ts'
import { type Symbols, sequencesIn } from './symbols.ts'

export const REPLACEMENT = '[secret]'

export class MaskedStream {
  readonly #index: PatternIndex
  readonly #symbols: Symbols
  /** Held back, as it may be the beginning of a secret. */
  #held = ''
  /** Of that, how much is shown already, and how much is behind a {@link REPLACEMENT} that is. */
  #shownTo = 0
  #coveredTo = 0

  /** @param symbols a buffer to work with, which many streams may share */
  constructor(index: PatternIndex, symbols: Symbols) {
    this.#index = index
    this.#symbols = symbols
  }

  /** How many characters are held back; 0 when everything is shown. */
  get heldLength(): number {
    return this.#held.length - Math.max(this.#shownTo, this.#coveredTo)
  }

  /** @returns the text that is certain not to be part of a secret */
  push(text: string): string {
    if (this.#index.isEmpty) return text
    const symbols = this.#symbols
    symbols.read(this.#held + text, false)
    const open = this.#index.findOpen(symbols)
    const from = open < symbols.count ? symbols.placeOf(open) : symbols.openFrom
    const shown = this.#show(from)
    this.#held = symbols.text.slice(from)
    this.#shownTo = Math.max(0, this.#shownTo - from)
    this.#coveredTo = Math.max(0, this.#coveredTo - from)
    return shown
  }

  /**
   * Shows what is held back, as nothing has followed for a while. If it turns out to be the beginning
   * of a secret, the rest of the secret is masked.
   */
  show(): string {
    this.#symbols.read(this.#held, false)
    const shown = this.#show(this.#held.length)
    this.#shownTo = this.#held.length
    return shown
  }

  /** @returns the rest, when nothing more will come */
  end(): string {
    this.#symbols.read(this.#held, true)
    const shown = this.#show(this.#held.length)
    this.#held = ''
    this.#shownTo = 0
    this.#coveredTo = 0
    return shown
  }

  /** @returns what is to be shown of what is before `upTo` and has not been shown */
  #show(upTo: number): string {
    const { text } = this.#symbols
    let shown = ''
    let at = Math.max(this.#shownTo, this.#coveredTo)
    for (const interval of this.#index.find(this.#symbols)) {
      const [start, end] = this.#placeOf(interval)
      if (start >= upTo) break
      if (end <= at) continue
      const goesOn = start < this.#coveredTo && at === this.#coveredTo
      if (!goesOn) shown += text.slice(at, start) + REPLACEMENT
      shown += sequencesIn(text.slice(Math.max(at, start), end))
      this.#coveredTo = end
      at = end
    }
    return shown + text.slice(at, upTo)
  }

  #placeOf({ start, end }: Interval): readonly [number, number] {
    return [this.#symbols.placeOf(start), this.#symbols.placeOf(end - 1) + 1]
  }
}
