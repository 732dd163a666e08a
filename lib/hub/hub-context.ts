/**
 * What all agents of a process share.
 *
 * @module
 */

import type { Logger } from '../log.ts'
import type { HubMetrics } from '../metrics/hub-metrics.ts'
import type { OutboundClient } from '../outbound.ts'
import type { StartConfig } from '../settings/start-config.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'

export interface HubContext {
  readonly settings: HubSettings
  readonly supervisor: Supervisor
  readonly client: OutboundClient
  readonly metrics: HubMetrics
  /** For programs of the machine's owner: without the agent's own settings. */
  readonly environment: Readonly<Record<string, string>>
  /** @param job the id that marks every line */
  readonly logFor: (job?: string) => Logger
}

export type HubSettings = Pick<
  StartConfig,
  | 'agents'
  | 'disconnectAfterIdleTimeout'
  | 'disconnectAfterJob'
  | 'endpoint'
  | 'interruptionGracePeriod'
  | 'job'
  | 'jobId'
  | 'logFlushTimeout'
  | 'name'
  | 'noHttps'
  | 'shutdownHookPath'
  | 'token'
  | 'uploadJobLogs'
>

type Origin = Pick<StartConfig, 'endpoint' | 'noHttps'>

/** The part that all calls have in common. */
export function baseUrlOf(settings: Origin): string {
  return `${originOf(settings)}/api/v1/self_hosted_agents`
}

/** Where the log of a job goes whose request could not be fetched. */
export function logUrlOf(settings: Origin, jobId: string): string {
  return `${originOf(settings)}/api/v1/logs/${encodeURIComponent(jobId)}`
}

function originOf({ endpoint, noHttps }: Origin): string {
  return `${noHttps ? 'http' : 'https'}://${endpoint}`
}
