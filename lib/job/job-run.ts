/**
 * Wires up one job: its record, access for people, its executor, callbacks, and the `Job` that uses
 * them. Every command that runs jobs uses this.
 *
 * @module
 */

import { JobAccess } from '../access/job-access.ts'
import { Waits } from '../async/waits.ts'
import { explain } from '../errors.ts'
import type { Executor } from '../executors/executor.ts'
import type { ExecutorOptions } from '../executors/kind.ts'
import { kindOf } from '../executors/registry.ts'
import { identifySelf } from '../host/agent-identity.ts'
import type { HostResources } from '../host/host-resources.ts'
import type { SessionLeader } from '../host/processes.ts'
import type { Logger } from '../log.ts'
import type { AddSecret } from '../masking/masking.ts'
import type { RecordedJob } from '../records/job-record.ts'
import type { JobRequest } from '../request/job-request.ts'
import { type JobConfig, variablesOf } from '../settings/job-config.ts'
import { CompletionNotifier, pendingCallbacks } from './completion-notifier.ts'
import { recoverDeadRuns } from './dead-runs.ts'
import { Job, type JobOptions } from './job.ts'
import { findSecrets, type JobSecrets, maskedLog } from './job-secrets.ts'
import { redactRequest } from './redacted-request.ts'
import { timeLimitsOf } from './time-limits.ts'

export interface JobRunOptions {
  readonly request: JobRequest
  readonly config: JobConfig
  readonly recorded: RecordedJob
  /** Path of a log that the next agent has to complete if this one is killed. */
  readonly logPath?: string | undefined
  /** The label of the job's containers. */
  readonly instanceId: string
  readonly jumpPoint: 'always' | 'with-keys'
  /** Aborted to force a stop. */
  readonly forceStop: AbortSignal
  /** Aborted when callbacks are no longer waited for. */
  readonly callbackDeadline: AbortSignal
  readonly log: Logger
  readonly onPulled: ExecutorOptions['onPulled']
  readonly onCallbackFailed?: (() => void) | undefined
}

export class JobRun {
  readonly access: JobAccess
  readonly notifier: CompletionNotifier
  readonly waits = new Waits()
  /** Masks the job's secrets. */
  readonly log: Logger
  readonly #secrets: JobSecrets
  readonly #options: JobRunOptions
  #job: Job | undefined
  #stopped = false

  constructor(options: JobRunOptions) {
    const { request, config, recorded, callbackDeadline, onCallbackFailed } = options
    const { home, callbackRetryAttempts: attempts } = config
    this.#secrets = findSecrets(request, config)
    const log = maskedLog(options.log, this.#secrets.masking)
    this.log = log
    this.#options = options
    const jumpPoint = config.fleet === undefined ? options.jumpPoint : 'never'
    this.access = new JobAccess({ request, home, recorded, log, jumpPoint })
    this.notifier = new CompletionNotifier({
      ...{ callbacks: request.callbacks, attempts, recorded, log },
      ...{ deadline: callbackDeadline, onFailure: onCallbackFailed },
    })
  }

  get addSecret(): AddSecret {
    return this.#secrets.masking.add
  }

  /** Of the request: names, not values. */
  describeRequest(): object {
    return redactRequest(this.#options.request, this.#secrets.masking)
  }

  /** Once it has been created. */
  get job(): Job | undefined {
    return this.#job
  }

  /** Repeatable, at any time. */
  stop(): void {
    this.#stopped = true
    this.#job?.stop()
  }

  /**
   * Does everything that has to be done before the job creates anything.
   *
   * @throws {AgentError} when the job cannot run
   */
  async prepare(): Promise<Executor> {
    const { request, config, forceStop, instanceId, onPulled } = this.#options
    const kind = kindOf(request.executor)
    const resources = kind.planResources(config)
    await this.#begin(resources)
    await recoverDeadRuns(config.home, this.log)
    await this.access.open()
    return await kind.create(request, {
      ...{ config, forceStop, instanceId, resources, onPulled },
      ...{ addSecret: this.addSecret, waits: this.waits },
      mask: (text) => this.#secrets.masking.mask(text),
      onLeader: (leader) => this.#addLeader(leader),
      onContainer: (container) => this.access.addContainer(container),
    })
  }

  create(
    executor: Executor,
    options: Pick<JobOptions, 'hold' | 'keepsGoing' | 'onDeadServices' | 'onResult' | 'sink'>,
  ): Job {
    const { request, config } = this.#options
    const job = new Job({
      ...{ ...options, ...this.#secrets, request, executor, log: this.log },
      hooks: {
        ...{ preJob: config.preJobHookPath, postJob: config.postJobHookPath },
        rules: config.fleet,
      },
      variables: variablesOf(config, request.envVars),
      limits: timeLimitsOf(request, config),
    })
    this.#job = job
    if (this.#stopped) job.stop()
    return job
  }

  async #begin(resources: HostResources): Promise<void> {
    const { request, config, recorded, instanceId, logPath } = this.#options
    const { home, dockerSocketPath } = config
    const { keys } = this.access
    const begun = recorded.begin({
      id: request.id,
      executor: request.executor,
      agentPid: process.pid,
      identity: identifySelf(),
      since: new Date().toISOString(),
      ...{ resources, leaders: [], dockerSocketPath, instanceId, containers: [] },
      containerNames: request.compose?.containers.map(({ name }) => name),
      keys: keys === undefined ? undefined : { home, text: keys },
      logPath,
      callbacks: logPath === undefined ? {} : pendingCallbacks(request.callbacks),
    })
    await this.#requireRecorded(begun)
  }

  /** Awaited before a directive runs in that shell. */
  async #addLeader(leader: SessionLeader): Promise<void> {
    const { recorded } = this.#options
    const { leaders = [] } = recorded.record ?? {}
    await this.#requireRecorded(recorded.update({ leaders: [...leaders, leader] }))
  }

  /** The user of `agent run` sees it die and can clean up; a server's job must not go on unrecorded. */
  async #requireRecorded(recorded: Promise<void>): Promise<void> {
    const { logPath } = this.#options
    try {
      await recorded
    } catch (error) {
      if (logPath !== undefined) throw error
      const what = "Cannot record this job's processes; they will survive if the agent is killed"
      this.log.warn(`${what}: ${explain(error)}`)
    }
  }
}
