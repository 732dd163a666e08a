/**
 * How directives are handed to a shell: through its gate if it has one, otherwise through its terminal.
 *
 * @module
 */

import { Gatekeeper } from './gatekeeper.ts'
import type { StartWatch } from './start-watch.ts'
import type { StreamParser } from './stream-parser.ts'
import type { Gate, Terminal } from './terminal.ts'
import { Typist } from './typist.ts'

export interface HandingOptions {
  readonly terminal: Terminal
  readonly gate: Gate | undefined
  readonly parser: StreamParser
  readonly watch: StartWatch
  /** The one that the shell's boot script knows. */
  readonly directory: string
  /** Whether the terminal still passed output on unchanged at the last directive's end. */
  readonly isPlain: () => boolean
}

export function createHanding(options: HandingOptions): Gatekeeper | Typist {
  const { terminal, gate, parser, watch, directory, isPlain } = options
  if (gate === undefined) {
    const type = (line: string) => {
      parser.expectEcho(line)
      terminal.write(line)
    }
    return new Typist({ watch, directory, type })
  }
  const isModeRight = () => isPlain() && terminal.isAtEnd?.() === true
  return new Gatekeeper({ watch, directory, gate, isModeRight, token: () => parser.token })
}
