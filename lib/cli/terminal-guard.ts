/**
 * What commands say to the terminal that outlasts them: undone at their end. The clipboard belongs
 * to the person in front of it, and no command of a job gets at it.
 *
 * @see https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
 * @module
 */

/** Sets the clipboard, or asks for it: OSC 52, up to its end or that of the text. */
const CLIPBOARD =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /(?:\x1b\]|\x9d)0*52;[^\x07\x1b\x9c]*(\x07|\x1b\\|\x9c|(?=\x1b.)|\x1b?$)/gs

/** What the text ends with may become that, or another that is looked for here. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const OPEN = /(?:\x1b(?:\[[?\d;]{0,60})?|(?:\x1b\]|\x9d)[0-2]{0,20}5?2?)$/

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const MODE = /\x1b\[\?([\d;]{1,60})([hl])/g

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const TITLE = /(?:\x1b\]|\x9d)[012];/

const KEEP_TITLE = '\x1b[22;0t'
const RESTORE_TITLE = '\x1b[23;0t'

/** The private modes that a person would be left with, and how each is as a rule. */
const MODES: Readonly<Record<string, 'h' | 'l'>> = {
  1: 'l', // cursor keys
  7: 'h', // lines that wrap
  25: 'h', // the cursor
  47: 'l', // the alternate screen, in three ways
  1047: 'l',
  1049: 'l',
  1000: 'l', // the mouse
  1002: 'l',
  1003: 'l',
  1006: 'l',
  1004: 'l', // reports of the focus
  2004: 'l', // marks around what is pasted
}

export class TerminalGuard {
  readonly #isTerminal: boolean
  readonly #changed = new Map<string, 'h' | 'l'>()
  #held = ''
  /** The beginning of one whose end has not come. */
  #clipboard = ''
  #hasTitle = false

  /** @param isTerminal where there is none, nothing has to be undone */
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

  /** The command has ended. @returns the rest of its output, and what undoes the others */
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
