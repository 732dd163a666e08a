/**
 * Takes the place of an executor that cannot be created, so that the job fails like any other, with the
 * reason in its log.
 *
 * @module
 */

import type { Executor } from '../executors/executor.ts'

/** @param reason usually an `AgentError`, whose message and hint the log shows */
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
