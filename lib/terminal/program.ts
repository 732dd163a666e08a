/**
 * A program on a terminal of this host, however that is made.
 *
 * @module
 */

import type { Terminal } from '../shell/terminal.ts'

export interface HostTerminal extends Terminal {
  /** The process whose end ends the terminal: the shell itself, or the `script` around it. */
  readonly pid: number
}

export interface Program {
  /** Absolute path. */
  readonly file: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly directory: string
}
