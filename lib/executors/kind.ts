/**
 * What the rest of the agent has to know of a kind of executor. A new one is a folder with a file
 * `kind.ts`, a line in the registry, and a name in the schema of the request.
 *
 * Kinds load what they need when it is called for: a job on the host needs no Engine API client.
 *
 * @module
 */

import type { Readable, Writable } from 'node:stream'
import type { ReadStream, WriteStream } from 'node:tty'
import type { Waits } from '../async/waits.ts'
import type { CacheConfig } from '../cache/store-context.ts'
import type { Check } from '../checks/check.ts'
import type { HostResources, ResourcePlan } from '../host/host-resources.ts'
import type { JumpTarget } from '../host/jump-point.ts'
import type { SessionLeader } from '../host/processes.ts'
import type { AddSecret } from '../masking/masking.ts'
import type { ExecutorName, JobRequest } from '../request/job-request.ts'
import type { JobConfig } from '../settings/job-config.ts'
import type { PullReport } from './container/images/pull.ts'
import type { Executor, StopPolicy } from './executor.ts'
import { projectOf } from './project.ts'

export interface ExecutorKind {
  /** As a request names it. */
  readonly name: ExecutorName
  /** Of its jobs, over what the doctor has to say of them. */
  readonly title: string

  /** Decides by what a job will be known on this host, before it makes anything. @throws {StateError} */
  planResources(plan: ResourcePlan): HostResources

  /** For one job of this kind. */
  create(request: JobRequest, options: ExecutorOptions): Promise<Executor>

  /**
   * A person's terminal in a running job. May be called by another process than the job's, and by
   * many at once.
   *
   * @returns the exit code of the shell or the command
   * @throws {JobNotRunningError} when the job is over
   */
  attach(target: AttachTarget, options: AttachOptions): Promise<number>

  /** The script by which a person who has logged in gets into the job. Pure. */
  jumpPoint(target: JumpTarget): string

  /** Whether jobs of this kind may have left something that {@link reclaim} could find. */
  mayHaveOrphans(options: ReclaimOptions): boolean

  /**
   * Removes what jobs whose agent is dead left, other than their {@link HostResources}: those are
   * removed for jobs of all kinds. Repeatable; never called concurrently.
   *
   * @returns how many objects there were
   * @throws {AgentError} the kind's own, or an AggregateError of several; the rest is removed
   */
  reclaim(options: ReclaimOptions): Promise<number>

  /** What jobs of this kind need of the machine. */
  checks(options: CheckOptions): Promise<readonly Check[]>
}

export interface ExecutorOptions {
  readonly config: JobConfig
  /** Aborted when a stop has to be quick. */
  readonly forceStop: AbortSignal
  /** Of an agent that clears up after itself at its next start. */
  readonly instanceId: string
  /** By which what the job starts on this host will be known. */
  readonly resources: HostResources
  /** Awaited for each shell on this host before a directive runs in it. */
  readonly onLeader: (leader: SessionLeader) => Promise<void>
  readonly addSecret: AddSecret
  /** A text without the job's secrets, for what is cut before it comes into the log. */
  readonly mask: (text: string) => string
  /** For who looks on. */
  readonly waits?: Waits | undefined
  readonly onPulled?: ((report: PullReport) => void) | undefined
  /** Told of each container that is made, by the name the job gives it. */
  readonly onContainer: (container: NamedContainer) => void
}

export interface NamedContainer {
  readonly name: string
  readonly id: string
}

export interface AttachTarget {
  readonly jobId: string
  readonly dockerSocketPath: string
  /** Of all containers that there will be; the commands run in the first. */
  readonly containerNames: readonly string[]
  /** Those that are made by now. @throws {JobNotRunningError} when the job is over */
  listContainers(): Promise<readonly NamedContainer[]>
}

export interface AttachOptions {
  /** One of the job's containers; default: the main one. */
  readonly container?: string | undefined
  /** Empty = a login shell. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly standard: Standard
  /** Called when the terminal is another program's: what is pressed there is no signal for this one. */
  readonly onTerminalLent: () => void
  /** Aborted when the person's own terminal is gone, or they are asked to leave. */
  readonly signal: AbortSignal
}

/** `process`, as a rule. */
export interface Standard {
  readonly stdin: Readable & Partial<Pick<ReadStream, 'isTTY' | 'setRawMode'>>
  readonly stdout: Writable & Partial<Pick<WriteStream, 'columns' | 'isTTY' | 'rows'>>
  readonly stderr: Writable
}

export interface ReclaimOptions {
  readonly socketPath: string
  /** Whose they are. Nothing of another agent is touched. */
  readonly instanceId: string
  /** Whether that job still needs its objects, or removes them itself. */
  readonly isActive: (jobId: string) => boolean
}

export interface CheckOptions {
  /** What a job's shell inherits. */
  readonly environment: Readonly<Record<string, string>>
  /** As in the environment variables. */
  readonly path: string
  readonly dockerHost: string | undefined
  readonly temporaryDirectory: string
}

/** What executors of all kinds are given. */
export interface SharedOptions {
  readonly policy: StopPolicy
  /** What programs on this host inherit; the agent's own settings are not among it. */
  readonly environment: Readonly<Record<string, string>>
  readonly cache: CacheConfig
  readonly addSecret: AddSecret
  /** For who looks on. */
  readonly waits?: Waits | undefined
  /** By which the job will be known, for someone who clears up if this process cannot. */
  readonly resources: HostResources
}

export function sharedOptions(
  request: JobRequest,
  { config, forceStop, addSecret, waits, resources }: ExecutorOptions,
): SharedOptions {
  return {
    policy: { gracePeriodMs: config.stopGracePeriod, forceStop },
    environment: config.jobEnvironment,
    cache: { ...config.cache, project: projectOf(request, config) },
    addSecret,
    waits,
    resources,
  }
}
