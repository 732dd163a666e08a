/**
 * A line at the end of the terminal's contents that shows what is being waited for, and disappears as
 * soon as there is something else to show.
 *
 * @module
 */

import stringWidth from 'string-width'

export interface LiveLineOptions {
  /** Resolves when it can take more. */
  readonly write: (text: string) => Promise<void> | void
  /** Empty when there is nothing to show. */
  readonly describe: () => string
  /** Width of the terminal, in characters. */
  readonly columns: number
}

const INTERVAL_MS = 500

/** Moves to the beginning of the line and clears it. */
const CLEAR = '\r\x1b[K'

export class LiveLine {
  readonly #options: LiveLineOptions
  readonly #timer: NodeJS.Timeout
  #isShown = false
  #isBusy = false
  /** The cursor is at the beginning of an empty line. */
  #hasRoom = true

  constructor(options: LiveLineOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.draw(), INTERVAL_MS).unref()
  }

  /**
   * Call this before anything else is shown.
   *
   * @param text what will be shown
   * @returns a prefix for the text, which erases this line
   */
  makeRoom(text: string): string {
    const clear = this.#isShown ? CLEAR : ''
    this.#isShown = false
    this.#hasRoom = text.endsWith('\n')
    return clear
  }

  /** Also called by itself, twice a second. */
  async draw(): Promise<void> {
    if (!this.#hasRoom || this.#isBusy) return
    const text = this.#options.describe()
    if (text === '' && !this.#isShown) return
    this.#isShown = text !== ''
    this.#isBusy = true
    try {
      // The cursor returns to its place, so that other programs overwrite this line.
      await this.#options.write(`${CLEAR}${cut(text, this.#options.columns - 1)}\r`)
    } catch {
      this.end() // the log itself will have the same failure, and report it
    } finally {
      this.#isBusy = false
    }
  }

  /** Repeatable. */
  end(): void {
    clearInterval(this.#timer)
  }
}

/** Cuts the text to one line of the terminal. */
function cut(text: string, columns: number): string {
  const line = text.replace(/\p{Cc}/gu, ' ')
  if (stringWidth(line) <= columns) return line
  let start = ''
  for (const { segment } of new Intl.Segmenter().segment(line)) {
    if (stringWidth(start + segment) >= columns) break
    start += segment
  }
  return `${start}…`
}
