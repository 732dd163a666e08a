/**
 * The executor a request asks for, loaded only then: a shell job needs no Engine API client.
 *
 * @module
 */

import type { Logger } from '../log.ts'
import type { JobRequest } from '../request/job-request.ts'
import type { Executor, StopPolicy } from './executor.ts'
import { ShellExecutor } from './shell.ts'

export interface ExecutorOptions {
  readonly policy: StopPolicy
  /** What a shell on this host inherits. */
  readonly environment: Readonly<Record<string, string>>
  readonly temporaryDirectory: string
  readonly dockerSocketPath: string
  readonly log: Logger
}

/** For a service's health check to pass, from its start. */
const SERVICE_START_TIMEOUT_MS = 60_000

export async function createExecutor(
  request: JobRequest,
  options: ExecutorOptions,
): Promise<Executor> {
  if (request.compose === undefined) return new ShellExecutor(options)
  const { ContainerExecutor } = await import('./container/executor.ts')
  return new ContainerExecutor({
    jobId: request.id,
    compose: request.compose,
    socketPath: options.dockerSocketPath,
    policy: options.policy,
    environment: options.environment,
    hostFiles: [],
    failOnMissingFiles: false,
    exposeKvmDevice: true,
    serviceStartTimeoutMs: SERVICE_START_TIMEOUT_MS,
  })
}
