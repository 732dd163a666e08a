/**
 * One line at the end of what a terminal shows that says what is waited for, and goes away as soon
 * as there is something else to show.
 *
 * @module
 */

import stringWidth from 'string-width'

export interface LiveLineOptions {
  /** Resolves when it may be given more. */
  readonly write: (text: string) => Promise<void> | void
  /** Empty: there is nothing to say. */
  readonly describe: () => string
  /** Width of the terminal, in characters. */
  readonly columns: number
}

const INTERVAL_MS = 500

/** To the beginning of the line, and clear it. */
const CLEAR = '\r\x1b[K'

export class LiveLine {
  readonly #options: LiveLineOptions
  readonly #timer: NodeJS.Timeout
  #isShown = false
  #isBusy = false
  /** The cursor is at the beginning of a line that is empty. */
  #hasRoom = true

  constructor(options: LiveLineOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.draw(), INTERVAL_MS).unref()
  }

  /**
   * To be called before anything else is shown.
   *
   * @param text what will be shown
   * @returns what it has to begin with, so that nothing of this line is left
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
      // The cursor goes back to where it was: what others write covers this line.
      await this.#options.write(`${CLEAR}${cut(text, this.#options.columns - 1)}\r`)
    } catch {
      this.end() // the log itself will meet the same failure, and tells of it
    } finally {
      this.#isBusy = false
    }
  }

  /** Repeatable. */
  end(): void {
    clearInterval(this.#timer)
  }
}

/** In one line of the terminal. */
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
