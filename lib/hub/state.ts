/**
 * Which state an agent syncs, and what the answer asks of it. Pure.
 *
 * @module
 */

import { ControlPlaneError } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import { parseRecord, readNumber, readText, TRIES_AGAIN } from './answers.ts'

/** The control plane cannot handle any other. */
export type AgentPhase =
  | 'finished-job'
  | 'running-job'
  | 'starting-job'
  | 'stopping-job'
  | 'waiting-for-jobs'

/** The body of a sync: always all four keys. */
export interface SyncState {
  readonly state: AgentPhase
  /** Empty while waiting. */
  readonly job_id: string
  /** Empty unless finished. */
  readonly job_result: JobResult | ''
  /** Unix seconds of the first TERM or INT; 0 = none. */
  readonly interrupted_at: number
}

export interface SyncAnswer {
  readonly action: string
  readonly jobId: string
  readonly shutdownReason: string
  /** In ms. Undefined: the agent chooses. */
  readonly nextSyncAfter: number | undefined
}

/** What an answer asks for. */
export type Reaction =
  | { readonly kind: 'acknowledged' | 'abandon' | 'none' | 'stop' }
  | { readonly kind: 'start'; readonly jobId: string }
  | { readonly kind: 'shutdown'; readonly reason: ShutdownReason }
  /** It makes no sense here, and is ignored. */
  | { readonly kind: 'strange'; readonly what: string }

/** As the shutdown hook gets it. */
export type ShutdownReason =
  | 'IDLE'
  | 'INTERRUPTED'
  | 'JOB_FINISHED'
  | 'REQUESTED'
  | 'UNABLE_TO_SYNC'
  | 'UNKNOWN'

const REASONS: Readonly<Record<string, ShutdownReason>> = {
  idle: 'IDLE',
  interrupted: 'INTERRUPTED',
  'job-finished': 'JOB_FINISHED',
  requested: 'REQUESTED',
}

/** @throws {ControlPlaneError} for an answer without an action */
export function parseSyncAnswer(text: string): SyncAnswer {
  const fields = parseRecord('/sync', text)
  const nextSyncAfter = readNumber(fields, 'next_sync_after')
  const action = readText(fields, 'action')
  if (action === '') {
    throw new ControlPlaneError('/sync was answered without an action', { hint: TRIES_AGAIN })
  }
  return {
    action,
    jobId: readText(fields, 'job_id'),
    shutdownReason: readText(fields, 'shutdown_reason'),
    nextSyncAfter: nextSyncAfter !== undefined && nextSyncAfter > 0 ? nextSyncAfter : undefined,
  }
}

/** @param sent what the control plane answers: the agent may have moved on since */
export function react(sent: SyncState, answer: SyncAnswer): Reaction {
  const { action, jobId } = answer
  switch (action) {
    case 'continue':
      return { kind: 'none' }
    case 'run-job':
      return reactToJob(sent, jobId)
    case 'stop-job':
      return reactToStop(sent, jobId)
    case 'wait-for-jobs':
      if (sent.state === 'finished-job') return { kind: 'acknowledged' }
      return { kind: sent.state === 'waiting-for-jobs' ? 'none' : 'abandon' }
    case 'shutdown':
      return { kind: 'shutdown', reason: REASONS[answer.shutdownReason] ?? 'UNKNOWN' }
    default:
      return { kind: 'strange', what: `the unknown action "${action}"` }
  }
}

/** A lost answer is repeated: nothing has to be done for a job that the agent already has. */
function reactToJob(sent: SyncState, jobId: string): Reaction {
  if (jobId === '') return { kind: 'strange', what: 'run-job without a job id' }
  if (jobId === sent.job_id) return { kind: 'none' }
  if (sent.state === 'waiting-for-jobs') return { kind: 'start', jobId }
  return { kind: 'strange', what: `run-job for ${jobId} while running ${sent.job_id}` }
}

function reactToStop(sent: SyncState, jobId: string): Reaction {
  if (sent.job_id === '' || sent.state === 'finished-job') return { kind: 'none' }
  if (jobId === '' || jobId === sent.job_id) return { kind: 'stop' }
  return { kind: 'strange', what: `stop-job for ${jobId} while running ${sent.job_id}` }
}
