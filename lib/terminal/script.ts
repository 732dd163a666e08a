/**
 * A terminal made by the `script` program, for hosts where the addon cannot be loaded.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { ShellError } from '../errors.ts'
import { quoteWord } from '../shell/quote.ts'
import type { HostTerminal, Program } from './program.ts'

/** @param path as in the environment variable */
export function findScript(path: string): string | undefined {
  return findProgram('script', path)
}

/** The first executable file of this name on a `PATH`. */
export function findProgram(name: string, path: string): string | undefined {
  return path
    .split(':')
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, name))
    .find(isExecutable)
}

/** @see man 1 script: -q no banner, -e the child's exit code, -f flush, -c the command */
export function openScript(script: string, program: Program): HostTerminal {
  const exited = Promise.withResolvers<number>()
  // Not by `exec`: when its own child is suspended, as a job's shell is for a stop, `script` suspends
  // itself. What the shell in between has to say of a killed child is for nobody.
  const argv = [program.file, ...program.args].map(quoteWord).join(' ')
  const command = `exec 2>/dev/null; ${argv} 2>&1; exit $?`
  const child = spawn(script, ['-qefc', command, '/dev/null'], {
    cwd: program.directory,
    env: { ...program.environment, SHELL: program.file }, // `script` runs the command by $SHELL
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  })
  child.once('error', (cause) =>
    exited.reject(
      new ShellError(`${script} could not be started`, {
        hint: "Check that the agent's user may execute it.",
        cause,
      }),
    ),
  )
  child.once('exit', (code, signal) => exited.resolve(code ?? (signal === 'SIGKILL' ? 137 : 143)))
  child.stdin.on('error', () => undefined) // `exited` reports the shell's end
  return {
    pid: child.pid ?? -1,
    output: child.stdout,
    write: (text) => void child.stdin.write(text),
    exited: exited.promise,
    close: () => {
      child.stdin.destroy()
      child.stdout.destroy()
    },
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false // absent or not ours to run: the next directory may have one
  }
}
