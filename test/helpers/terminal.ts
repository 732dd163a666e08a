/** A person at a terminal: types, looks at the screen, changes the window's size. */

import { execFile } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { promisify } from 'node:util'
import { openHostTerminal } from '../../lib/terminal/host-terminal.ts'
import { MARK } from '../runner/survivors.ts'
import { waitFor } from './host.ts'

export interface TerminalSession {
  /** All that was printed so far, escape sequences included. */
  readonly screen: string
  readonly pid: number
  type(text: string): void
  /** Behind what was seen before. @throws {Error} with the end of the screen when it does not come */
  sees(what: RegExp | string): Promise<void>
  resize(columns: number, rows: number): Promise<void>
  /** The window is closed. */
  hangUp(): void
  /** Exit code. @throws {Error} with the end of the screen when it does not end */
  ends(): Promise<number>
}

/** @param file absolute path of a program */
export function startAtTerminal(
  file: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): TerminalSession {
  const terminal = openHostTerminal({
    file,
    args,
    environment: {
      PATH: process.env['PATH'] ?? '',
      TERM: 'xterm',
      LANG: 'C.UTF-8',
      [MARK]: process.env[MARK] ?? '',
      ...environment,
    },
    directory: '/',
  })
  const decoder = new TextDecoder()
  let screen = ''
  const read = async () => {
    for await (const bytes of terminal.output) screen += decoder.decode(bytes, { stream: true })
  }
  let code: number | undefined
  void Promise.all([terminal.exited, read()]).then(([status]) => {
    code = status
  })
  let seen = 0
  const look = (what: RegExp | string) => {
    const rest = screen.slice(seen)
    const match = typeof what === 'string' ? what : what.exec(rest)?.[0]
    const at = match === undefined ? -1 : rest.indexOf(match)
    if (match === undefined || at < 0) return false
    seen += at + match.length
    return true
  }
  const wait = async (condition: () => boolean, what: string) => {
    await waitFor(condition, what).catch((error: Error) => {
      throw new Error(
        `${error.message}; the screen ends with ${JSON.stringify(screen.slice(-500))}`,
      )
    })
  }
  return {
    get screen() {
      return screen
    },
    pid: terminal.pid,
    type: (text) => terminal.write(text),
    sees: (what) => wait(() => look(what), `${what} is on the screen`),
    resize: async (columns, rows) => {
      const device = readlinkSync(`/proc/${terminal.pid}/fd/0`)
      await promisify(execFile)('stty', ['-F', device, 'cols', `${columns}`, 'rows', `${rows}`])
    },
    hangUp: () => terminal.close(),
    ends: async () => {
      await wait(() => code !== undefined, 'the program ends')
      return code ?? -1
    },
  }
}
