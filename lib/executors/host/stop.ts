/**
 * How a job on this host is stopped, in this order:
 *
 * 1. The shell is suspended, so that it runs no further line of the directive. As it lives, its
 *    terminal does: what the others print while they clean up reaches the log.
 * 2. Everything else gets TERM, and CONT in case it is suspended.
 * 3. Once those are gone, or the grace period is over, what is left of them is killed.
 * 4. The shell gets a signal that ends it with nothing but its EXIT trap.
 * 5. Whatever is left is killed.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Deadline } from '../../async/abort.ts'
import {
  findJobProcesses,
  findShell,
  isAlive,
  killJobProcesses,
  type ProcessSelector,
  type Shell,
  signalProcesses,
} from '../../host/processes.ts'
import type { StopPolicy } from '../executor.ts'

/**
 * One of those for which bash runs its EXIT trap and ends, in the middle of whatever it does. HUP
 * is another, but one that jobs trap: their shell would go on with the next line.
 */
const END_SIGNAL = 'SIGVTALRM'

/** For the shell's EXIT trap, when the others have used up the grace period. */
const EXIT_TRAP_MS = 1_000

/** Between two looks at the processes. */
const POLL_MS = 10

/**
 * @param bootPath by which the job's shell is distinguished from what replaced it by `exec`
 * @throws {ShellError} naming what could not be killed
 */
export async function stopHostJob(
  selector: ProcessSelector,
  bootPath: string,
  { gracePeriodMs, forceStop }: StopPolicy,
): Promise<void> {
  using deadline = new Deadline(gracePeriodMs, forceStop)
  const grace = deadline.signal
  const shell = findShell(selector, bootPath)
  signalShell(shell, 'SIGSTOP')
  const others = findOthers(selector, shell)
  signalProcesses(others, 'SIGTERM')
  signalProcesses(others, 'SIGCONT')
  await waitUntil(() => findOthers(selector, shell).length === 0, grace)
  if (shell !== undefined && !forceStop.aborted)
    await endShell(selector, shell, { grace, forceStop })
  await killJobProcesses(selector)
}

async function endShell(
  selector: ProcessSelector,
  shell: Shell,
  { grace, forceStop }: { grace: AbortSignal; forceStop: AbortSignal },
): Promise<void> {
  signalProcesses(findOthers(selector, shell), 'SIGKILL')
  signalShell(shell, END_SIGNAL)
  signalShell(shell, 'SIGCONT')
  // With all that holds the terminal: a `script` still has its last output to pass on.
  const isGone = () => [...shell.keepers].every((pid) => !isAlive({ pid }))
  await waitUntil(isGone, grace)
  using last = new Deadline(EXIT_TRAP_MS, forceStop)
  await waitUntil(isGone, last.signal)
}

function signalShell(shell: Shell | undefined, signal: NodeJS.Signals): void {
  if (shell !== undefined) signalProcesses([shell.pid], signal)
}

/** All of the job but its shell, and what holds the shell's terminal. */
function findOthers(selector: ProcessSelector, shell: Shell | undefined): number[] {
  return findJobProcesses(selector).filter((pid) => shell?.keepers.has(pid) !== true)
}

async function waitUntil(condition: () => boolean, deadline: AbortSignal): Promise<void> {
  while (!deadline.aborted && !condition()) await sleep(POLL_MS)
}
