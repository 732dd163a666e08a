/**
 * An attach session as a command of this program: signals end the session, and its exit code is the program's.
 *
 * @module
 */

import { constants } from 'node:os'
import { hostEnvironment, jobEnvironment } from '../config.ts'

const SIGNAL_BASE = 128

/**
 * @param directory of the job
 * @param command empty = a login shell
 * @returns the exit code to end with
 * @throws {AgentError} when the job cannot be attached to
 */
export async function attachToJob(
  directory: string,
  command: readonly string[],
  container?: string,
): Promise<number> {
  const { enterJob } = await import('../access/enter-job.ts')
  const leaving = new AbortController()
  let signalled = 0
  const leave = (name: NodeJS.Signals) => {
    signalled ||= SIGNAL_BASE + constants.signals[name]
    leaving.abort()
  }
  let isTerminalLent = false
  for (const name of ['SIGHUP', 'SIGTERM'] as const) process.on(name, leave)
  for (const name of ['SIGINT', 'SIGQUIT'] as const) {
    process.on(name, () => {
      if (!isTerminalLent) leave(name)
    })
  }
  try {
    return await enterJob(directory, {
      container,
      command,
      environment: jobEnvironment(hostEnvironment()),
      standard: process,
      onTerminalLent: () => {
        isTerminalLent = true
      },
      signal: leaving.signal,
    })
  } catch (error) {
    if (leaving.signal.aborted) return signalled
    throw error
  }
}
