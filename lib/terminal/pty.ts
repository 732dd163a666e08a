/**
 * A terminal made by the native addon.
 *
 * @module
 */

import { ReadStream } from 'node:tty'
import type { PtyAddon } from './addon.ts'
import type { HostTerminal, Program } from './host-terminal.ts'

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
  const stream = new ReadStream(child.fd)
  return {
    pid: child.pid,
    output: readPty(stream),
    write: (text) => void stream.write(text),
    exited: exited.promise,
    close: () => void stream.destroy(),
  }
}

/** The last process that closes the terminal makes the kernel answer EIO: that is its end of file. */
async function* readPty(stream: ReadStream): AsyncGenerator<Uint8Array> {
  stream.on('error', () => undefined) // also after the loop below: destroying may still report EIO
  try {
    for await (const chunk of stream) yield chunk as Uint8Array
  } catch (error) {
    if (!isEndOfTerminal(error)) throw error
  }
}

function isEndOfTerminal(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EIO' || code === 'ERR_STREAM_PREMATURE_CLOSE'
}
