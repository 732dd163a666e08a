/**
 * A terminal made by the native addon.
 *
 * @module
 */

import { closeSync, constants, openSync, readSync } from 'node:fs'
import { ShellError } from '../errors.ts'
import type { PtyAddon } from './addon.ts'
import type { HostTerminal, Program } from './program.ts'
import { readPty } from './pty-output.ts'

/** The boot script sets the size it wants; until then these are as good as any. */
const COLUMNS = 200
const ROWS = 50

const SIGNAL_BASE = 128

const { O_NOCTTY, O_NONBLOCK, O_RDONLY } = constants

/** @throws {ShellError} when the kernel gives no terminal or no process */
export function openPty(addon: PtyAddon, program: Program): HostTerminal {
  const exited = Promise.withResolvers<number>()
  const child = fork(addon, program, exited.resolve)
  const { stream, output } = readPty(child.fd)
  return {
    pid: child.pid,
    output,
    write: (text) => void stream.write(text),
    exited: exited.promise,
    isAtEnd: () => isAtEnd(child.pty),
    close: () => void stream.destroy(),
  }
}

function fork(addon: PtyAddon, program: Program, onExit: (code: number) => void) {
  try {
    return addon.fork(
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
      (code, signal) => onExit(signal > 0 ? SIGNAL_BASE + signal : code),
    )
  } catch (cause) {
    throw new ShellError("The host has no process or no terminal for the job's shell", {
      hint: 'Compare the limits of the agent (ulimit -u, TasksMax of a service, kernel.pty.max) with what runs there.',
      cause,
    })
  }
}

/**
 * Asks the kernel for a byte, without waiting: end-of-file is the answer in the one mode in which nobody
 * waits. Opened for each question: held open, the terminal would not end with its last process.
 */
function isAtEnd(path: string): boolean {
  try {
    const fd = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
    try {
      return readSync(fd, Buffer.allocUnsafe(1)) === 0
    } finally {
      closeSync(fd)
    }
  } catch {
    return false // EAGAIN: a reader would wait
  }
}
