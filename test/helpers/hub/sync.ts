/** `POST /sync`: what an agent says of itself, whether it may, and what it is to do next. */

import type { Agents, HubAgent } from './agents.ts'
import type { HubJob, Jobs } from './jobs.ts'
import type { Answer, Violations } from './record.ts'

const STATES = ['waiting-for-jobs', 'starting-job', 'running-job', 'stopping-job', 'finished-job']
const RESULTS = ['passed', 'failed', 'stopped']

export interface Sync {
  readonly state: string
  readonly job_id: string
  readonly job_result: string
  readonly interrupted_at: number
}

export interface Action {
  readonly action: 'continue' | 'run-job' | 'shutdown' | 'stop-job' | 'wait-for-jobs'
  readonly job_id?: string
  readonly shutdown_reason?: string
}

export interface SyncDesk {
  readonly agents: Agents
  readonly jobs: Jobs
  readonly violations: Violations
  /** Milliseconds; `undefined` leaves the key out. */
  nextSyncAfter: number | undefined
}

export function sync(desk: SyncDesk, agent: HubAgent, text: string): Answer {
  const { agents, violations } = desk
  const body = parse(text)
  const problem = body === undefined ? 'no whole sync' : problemOf(agent, body)
  if (body === undefined || problem !== undefined) {
    violations.add(`${agent.name} syncs ${text}: ${problem}`)
    return { status: 500, text: 'Internal server error' }
  }
  agent.state = body.state
  agent.syncs++
  agent.interruptedAt = body.interrupted_at
  const action = decide(desk, agent, body)
  agents.heard(agent)
  const { nextSyncAfter: next } = desk
  return { status: 200, json: { ...action, ...(next !== undefined && { next_sync_after: next }) } }
}

function parse(text: string): Sync | undefined {
  try {
    const body = JSON.parse(text) as Sync
    const { state, job_id: jobId, job_result: result, interrupted_at: at } = body
    const isWhole = [state, jobId, result].every((it) => typeof it === 'string')
    return isWhole && Number.isInteger(at) ? body : undefined
  } catch {
    return undefined
  }
}

/** What the server would break on, or what would cost a job. */
function problemOf(agent: HubAgent, body: Sync): string | undefined {
  const { state, job_id: jobId, job_result: result, interrupted_at: interruptedAt } = body
  if (!STATES.includes(state)) return 'that state is unknown'
  if (agent.shutdown !== undefined) return 'it was told to shut down'
  if (interruptedAt < agent.interruptedAt) return 'it has forgotten that it was interrupted'
  if (state === 'finished-job' && !RESULTS.includes(result)) return 'that result is unknown'
  if (state !== 'finished-job' && result !== '') return 'only a finished job has a result'
  if (state !== 'waiting-for-jobs') return jobId === '' ? 'the job is missing' : undefined
  if (jobId !== '') return 'it waits, and names a job'
  if (agent.job?.isKnown === true) return `it has a job, ${agent.job.id}`
  if (agent.lastJob !== undefined && agent.registration.single_job) return 'it was for one job only'
  return undefined
}

function decide(desk: SyncDesk, agent: HubAgent, body: Sync): Action {
  if (body.state === 'waiting-for-jobs') return handOut(desk, agent)
  if (body.state === 'finished-job') return acknowledge(desk, agent, body)
  const { job } = agent
  if (job === undefined) return { action: 'wait-for-jobs' }
  if (job.id !== body.job_id) {
    desk.violations.add(`${agent.name} has the job ${job.id}, and reports ${body.job_id}`)
    return { action: 'continue' }
  }
  note(desk, job, body.state)
  const stops = body.state !== 'stopping-job' && (job.isStopRequested || isGraceOver(agent))
  return stops ? { action: 'stop-job', job_id: job.id } : { action: 'continue' }
}

function note({ violations }: SyncDesk, job: HubJob, state: string): void {
  job.isKnown = true
  const before = job.states.at(-1) ?? STATES[0] ?? ''
  if (STATES.indexOf(state) < STATES.indexOf(before)) {
    violations.add(`The job ${job.id} goes back from ${before} to ${state}`)
  }
  if (state !== before) job.states.push(state)
}

function isGraceOver({ interruptedAt, registration }: HubAgent): boolean {
  if (interruptedAt === 0) return false
  return Date.now() / 1_000 >= interruptedAt + registration.interruption_grace_period
}

function handOut({ jobs }: SyncDesk, agent: HubAgent): Action {
  if (agent.job !== undefined) return { action: 'run-job', job_id: agent.job.id }
  if (agent.interruptedAt > 0) return { action: 'shutdown', shutdown_reason: 'interrupted' }
  if (agent.isShutdownRequested) return { action: 'shutdown', shutdown_reason: 'requested' }
  const job = jobs.next(agent.registration.job_id)
  if (job !== undefined) {
    job.state = 'assigned'
    job.agent = agent.name
    agent.job = job
    return { action: 'run-job', job_id: job.id }
  }
  const { idle_timeout: limit } = agent.registration
  const idleMs = performance.now() - agent.idleSince
  if (limit > 0 && idleMs > limit * 1_000) return { action: 'shutdown', shutdown_reason: 'idle' }
  return { action: 'continue' }
}

function acknowledge(desk: SyncDesk, agent: HubAgent, body: Sync): Action {
  const { job } = agent
  if (job?.id === body.job_id) {
    note(desk, job, body.state)
    desk.jobs.finish(job, body.job_result)
    agent.lastJob = job
    agent.job = undefined
    agent.idleSince = performance.now()
  } else if (agent.lastJob?.id !== body.job_id || agent.lastJob.result !== body.job_result) {
    desk.violations.add(`${agent.name} finishes ${body.job_id}, which is not its job`)
  }
  if (agent.interruptedAt > 0) return { action: 'shutdown', shutdown_reason: 'interrupted' }
  if (agent.registration.single_job) return { action: 'shutdown', shutdown_reason: 'job-finished' }
  if (agent.isShutdownRequested) return { action: 'shutdown', shutdown_reason: 'requested' }
  return { action: 'wait-for-jobs' }
}
