/**
 * A terminal made by the native addon.
 *
 * @module
 */

import type { PtyAddon } from './addon.ts'
import type { HostTerminal, Program } from './program.ts'
import { readPty } from './pty-output.ts'

/** The boot script sets the size it wants; until then these are as good as any. */
const COLUMNS = 200
const ROWS = 50

const SIGNAL_BASE = 128

/** @throws {Error} when the kernel gives no terminal or no process */
export function openPty(addon: PtyAddon, program: Program): HostTerminal {
  const exited = Promise.withResolvers<number>()
  const child = addon.fork(
    program.file,
    program.args,
    Object.entries(program.environment).map(([name, value]) => `${name}=${value}`),
    program.directory,
    COLUMNS,
    ROWS,
    -1, // keep the agent's user and group
    -1,
    true,
    '', // a helper program that only macOS needs
    (code, signal) => exited.resolve(signal > 0 ? SIGNAL_BASE + signal : code),
  )
  const { stream, output } = readPty(child.fd)
  return {
    pid: child.pid,
    output,
    write: (text) => void stream.write(text),
    exited: exited.promise,
    close: () => void stream.destroy(),
  }
}
