/**
 * The normal end of a job's shell: an EXIT trap that the job has set runs, and is read, before the
 * job is over. For shells without one, which are nearly all, it costs one question.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { LinkedAbort } from '../async/abort.ts'
import type { RunOptions, RunResult, StopPolicy } from './executor.ts'

/** Prints the shell's EXIT trap, if it has one. Output that comes late may stand before it. */
const QUERY = '\\builtin trap -p EXIT'
const ANSWER = 'trap -- '

const EXIT = '\\builtin exit'

/** All that is run here, so that it can be staged. */
export const EXIT_DIRECTIVES: readonly string[] = [QUERY, EXIT]

export interface EndingShell {
  run(directive: string, options: RunOptions): Promise<RunResult>
  /** Ends at once all that runs; the running directive resolves. */
  kill(): Promise<void>
}

/** @returns exit code: not 0 when the trap did not end in time, which the output says */
export async function runExitTrap(
  shell: EndingShell,
  { signal, onOutput }: RunOptions,
  { gracePeriodMs }: StopPolicy,
): Promise<number> {
  if (!(await hasExitTrap(shell, signal))) return 0
  using ended = new LinkedAbort(signal)
  const late = new AbortController()
  using either = new LinkedAbort(signal, late.signal)
  const running = shell
    .run(EXIT, { signal: either.signal, onOutput, quiet: true })
    .finally(() => ended.abort())
  running.catch(() => undefined) // for whoever waits below
  const waiting = { signal: ended.signal }
  await sleep(gracePeriodMs, undefined, waiting).catch(() => undefined)
  if (!waiting.signal.aborted) {
    late.abort(new Error('the EXIT trap did not end'))
    await shell.kill()
  }
  await running
  if (!late.signal.aborted) return 0
  const limit = `${gracePeriodMs / 1_000} s`
  await onOutput(`The EXIT trap was still running after ${limit} and was killed.\n`)
  return 1
}

async function hasExitTrap(shell: EndingShell, signal: AbortSignal): Promise<boolean> {
  let said = ''
  const onOutput = (bytes: Uint8Array | string): void => {
    if (!said.includes(ANSWER)) said = said.slice(-ANSWER.length) + Buffer.from(bytes).toString()
  }
  const { shellExited } = await shell.run(QUERY, { signal, onOutput, quiet: true })
  return !shellExited && said.includes(ANSWER)
}
