/**
 * A second terminal, from which a shell on this host takes what the agent has to say to it. A FIFO would
 * serve as well, but only a program of its own can make one.
 *
 * @module
 */

import { closeSync, constants, openSync, readdirSync, readlinkSync, writeSync } from 'node:fs'
import type { Gate } from '../shell/terminal.ts'
import { loadPtyAddon } from './addon.ts'

const { O_NOCTTY, O_RDWR } = constants

/** Typed at the beginning of a line, to a terminal that passes on whole lines: end-of-file. */
const END = '\x04'

/** Of no use to anybody. */
const COLUMNS = 80
const ROWS = 24

/** @returns undefined where the addon cannot be loaded, or the kernel gives no other terminal */
export function openGate(): Gate | undefined {
  try {
    const { master, slave, pty } = loadPtyAddon().open(COLUMNS, ROWS)
    closeSync(slave) // nobody is to inherit it
    return new TerminalGate(master, pty)
  } catch {
    return undefined // the shell takes all from its own terminal
  }
}

class TerminalGate implements Gate {
  readonly path: string
  readonly inherited = findMasters()
  readonly #master: number
  /** As long as one end is open, what is typed waits for its reader. */
  readonly #held: number
  #isClosed = false

  constructor(master: number, path: string) {
    this.path = path
    this.#master = master
    this.#held = openSync(path, O_RDWR | O_NOCTTY)
  }

  say(text: string): void {
    if (!this.#isClosed) writeSync(this.#master, `${text}\n${END}`)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    closeSync(this.#held)
    closeSync(this.#master)
  }
}

/** The addon leaves the ends that this process holds to every child. */
function findMasters(): number[] {
  const own = '/proc/self/fd'
  return readdirSync(own)
    .filter((name) => readLink(`${own}/${name}`)?.endsWith('/ptmx'))
    .map(Number)
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined // that by which the directory was read
  }
}
