/**
 * Stands in where a job cannot even be prepared, so that the job fails as any other does: with the
 * reason in its log.
 *
 * @module
 */

import type { Executor } from '../executors/executor.ts'

/** @param reason an `AgentError`, as a rule: its message and hint are what the log shows */
export function refusingExecutor(reason: unknown): Executor {
  const refuse = () => Promise.reject(reason)
  return {
    prepare: refuse,
    exportVariables: refuse,
    injectFiles: refuse,
    run: refuse,
    describeProcesses: () => Promise.resolve(''),
    endShell: refuse,
    dispose: () => Promise.resolve(),
  }
}
