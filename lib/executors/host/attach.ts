/**
 * A person in a job on this host: on the person's terminal itself, so that what they press is for
 * the shell alone.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { onAbort } from '../../async/abort.ts'
import { ContainerError, ShellError } from '../../errors.ts'
import type { AttachOptions } from '../kind.ts'

const SIGNAL_BASE = 128

export async function attachToHost({
  container,
  command,
  environment,
  standard,
  onTerminalLent,
  signal,
}: AttachOptions): Promise<number> {
  if (container !== undefined) {
    throw new ContainerError('This job runs on the host itself: it has no containers', {
      hint: 'Omit --container.',
    })
  }
  if (standard.stdin.isTTY === true) onTerminalLent()
  const args = command.length === 0 ? ['--login'] : ['--login', '-c', '"$@"', 'bash', ...command]
  const child = spawn('bash', args, { stdio: 'inherit', env: { ...environment } })
  using _ = onAbort(signal, () => void child.kill('SIGHUP'))
  return await new Promise<number>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(
        new ShellError('bash could not be started', {
          hint: 'Install bash (package bash), or start the agent with a PATH that contains it.',
          cause,
        }),
      ),
    )
    child.once('exit', (code, name) =>
      resolve(code ?? SIGNAL_BASE + (name === null ? 0 : constants.signals[name])),
    )
  })
}
