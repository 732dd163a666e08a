/**
 * The executor a request asks for, loaded only then: a shell job needs no Engine API client.
 *
 * @module
 */

import { type HostTraces, planHostTraces } from '../host/job-traces.ts'
import type { Leader } from '../host/processes.ts'
import type { JobRequest } from '../request/job-request.ts'
import type { JobConfig } from '../settings/job-config.ts'
import type { PullReport } from './container/images/pull.ts'
import type { Ownership } from './container/job-objects.ts'
import type { Executor } from './executor.ts'
import { HostExecutor } from './host/executor.ts'
import { projectOf } from './project.ts'

export interface ExecutorOptions {
  readonly config: JobConfig
  /** Aborted when a stop has to be quick. */
  readonly forceStop: AbortSignal
  /** Of an agent that clears up after itself at its next start; absent for one that has none. */
  readonly instanceId?: string | undefined
  /** By which what the job starts on this host will be known. Default: new ones. */
  readonly traces?: HostTraces | undefined
  /** Awaited for each shell on this host before a directive runs in it. */
  readonly onLeader?: ((leader: Leader) => Promise<void>) | undefined
  readonly onPulled?: ((report: PullReport) => void) | undefined
  /** Told of each container that is made. */
  readonly onContainer?: Ownership['onContainer']
}

export async function createExecutor(
  request: JobRequest,
  { config, forceStop, instanceId, onLeader, onPulled, onContainer, ...options }: ExecutorOptions,
): Promise<Executor> {
  const traces = options.traces ?? planHostTraces(config, request.executor)
  const policy = { gracePeriodMs: config.stopGracePeriod, forceStop }
  const environment = config.jobEnvironment
  const cache = { ...config.cache, project: projectOf(request, config) }
  if (request.compose === undefined) {
    return new HostExecutor({ policy, environment, cache, traces, onLeader })
  }
  const { ContainerExecutor } = await import('./container/executor.ts')
  return new ContainerExecutor({
    jobId: request.id,
    instanceId,
    onContainer,
    compose: request.compose,
    socketPath: config.dockerSocketPath,
    policy,
    environment,
    cache,
    traces,
    hostFiles: config.hostFiles,
    failOnMissingFiles: config.failOnMissingFiles,
    exposeKvmDevice: config.exposeKvmDevice,
    pullStallTimeoutMs: config.pullStallTimeout,
    serviceStartTimeoutMs: config.serviceStartTimeout,
    onPulled,
  })
}
