/**
 * Runs one program to its end.
 *
 * @module
 */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface RunOptions {
  readonly limitMs: number
  readonly environment?: Readonly<Record<string, string>>
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/**
 * @returns its standard output
 * @throws {Error} with the end of what it printed when it fails or takes too long
 */
export async function run(
  program: string,
  args: readonly string[],
  { limitMs, environment = {} }: RunOptions,
): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, {
    timeout: limitMs,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_BYTES,
    env: { ...process.env, ...environment },
  }).catch((error: Error & { stderr?: string }) => {
    const said = (error.stderr ?? '').trimEnd().split('\n').slice(-15).join('\n')
    throw new Error(`${program} ${args.join(' ')} failed:\n${said || error.message}`)
  })
  return stdout
}
