/**
 * Undoes terminal modes that commands leave behind, at their end. Commands of a job have no access to
 * the clipboard, which belongs to the person at the terminal.
 *
 * @see https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
 * @module
 */

/** Sets or queries the clipboard: OSC 52, up to its end or the end of the text. */
const CLIPBOARD =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the sequences begin with them
  /(?:\x1b\]|\x9d)0*52;[^\x07\x1b\x9c]*(\x07|\x1b\\|\x9c|(?=\x1b.)|\x1b?$)/gs

/** The end of a text that may be the beginning of one of these sequences. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the sequences begin with them
const OPEN = /(?:\x1b(?:\[[?\d;]{0,60})?|(?:\x1b\]|\x9d)[0-2]{0,20}5?2?)$/

// biome-ignore lint/suspicious/noControlCharactersInRegex: the sequences begin with them
const MODE = /\x1b\[\?([\d;]{1,60})([hl])/g

// biome-ignore lint/suspicious/noControlCharactersInRegex: the sequences begin with them
const TITLE = /(?:\x1b\]|\x9d)[012];/

const KEEP_TITLE = '\x1b[22;0t'
const RESTORE_TITLE = '\x1b[23;0t'

/** Private modes that would persist after the command, and the usual state of each. */
const MODES: Readonly<Record<string, 'h' | 'l'>> = {
  1: 'l', // cursor keys
  7: 'h', // line wrapping
  25: 'h', // the cursor
  47: 'l', // the alternate screen, in three ways
  1047: 'l',
  1049: 'l',
  1000: 'l', // the mouse
  1002: 'l',
  1003: 'l',
  1006: 'l',
  1004: 'l', // focus reports
  2004: 'l', // bracketed paste
}

export class TerminalGuard {
  readonly #isTerminal: boolean
  readonly #changed = new Map<string, 'h' | 'l'>()
  #held = ''
  /** The beginning of a sequence that is not complete yet. */
  #clipboard = ''
  #hasTitle = false

  /** @param isTerminal without a terminal, nothing has to be undone */
  constructor(isTerminal: boolean) {
    this.#isTerminal = isTerminal
  }

  /** Output of a command; the beginning of a sequence is held back. */
  push(output: string): string {
    const text = this.#dropClipboard(this.#held + output)
    const open = OPEN.exec(text)?.index ?? text.length
    this.#held = text.slice(open)
    const shown = text.slice(0, open)
    if (!this.#isTerminal) return shown
    this.#note(shown)
    if (this.#hasTitle || !TITLE.test(shown)) return shown
    this.#hasTitle = true
    return KEEP_TITLE + shown
  }

  /** The command has ended. @returns the rest of its output, and the sequences that undo its modes */
  end(): string {
    const modes = [...this.#changed].map(([mode, state]) => `\x1b[?${mode}${state}`).join('')
    const rest = `${this.#held}${modes}${this.#hasTitle ? RESTORE_TITLE : ''}`
    this.#held = ''
    this.#clipboard = ''
    this.#hasTitle = false
    this.#changed.clear()
    return rest
  }

  #dropClipboard(text: string): string {
    const whole = this.#clipboard + text
    this.#clipboard = ''
    return whole.replace(CLIPBOARD, (found, end: string, at: number) => {
      const isOpen = at + found.length === whole.length && (end === '' || end === '\x1b')
      if (isOpen) this.#clipboard = `\x1b]52;${end}`
      return ''
    })
  }

  #note(text: string): void {
    for (const [, modes = '', state] of text.matchAll(MODE)) {
      for (const mode of modes.split(';')) {
        const usual = MODES[mode]
        if (usual === undefined) continue
        if (state === usual) this.#changed.delete(mode)
        else this.#changed.set(mode, usual)
      }
    }
  }
}
