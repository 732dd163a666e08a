/** The agents that a control plane knows, and how long it believes in each. */

import { randomBytes } from 'node:crypto'
import type { HubJob, Jobs } from './jobs.ts'

/** As an agent registers itself. */
export interface Registration {
  readonly name: string
  readonly version: string
  readonly pid: number
  readonly os: string
  readonly arch: string
  readonly hostname: string
  readonly single_job: boolean
  readonly idle_timeout: number
  readonly interruption_grace_period: number
  readonly job_id: string
}

export interface HubAgent {
  readonly name: string
  readonly token: string
  readonly registration: Registration
  job: HubJob | undefined
  /** The job that it has reported last, and its result. */
  lastJob: HubJob | undefined
  state: string
  syncs: number
  idleSince: number
  interruptedAt: number
  isShutdownRequested: boolean
  /** Why it was told to shut down, if it has heard that. */
  shutdown: string | undefined
  isDisconnected: boolean
}

/** Milliseconds of silence after which an agent is deleted. */
export interface SilenceLimits {
  readonly neverSynced: number
  readonly idle: number
  readonly occupied: number
}

export const SILENCE: SilenceLimits = { neverSynced: 60_000, idle: 180_000, occupied: 900_000 }

export class Agents {
  readonly byName = new Map<string, HubAgent>()
  /** All that ever were. */
  readonly all: HubAgent[] = []
  readonly #byToken = new Map<string, HubAgent>()
  readonly #timers = new Map<HubAgent, NodeJS.Timeout>()
  readonly #limits: SilenceLimits
  readonly #jobs: Jobs

  constructor(jobs: Jobs, limits: SilenceLimits) {
    this.#jobs = jobs
    this.#limits = limits
  }

  register(name: string, registration: Registration): HubAgent {
    const agent: HubAgent = {
      ...{ name, token: randomBytes(16).toString('hex'), registration, state: '', syncs: 0 },
      ...{ job: undefined, lastJob: undefined, idleSince: performance.now(), interruptedAt: 0 },
      ...{ isShutdownRequested: false, shutdown: undefined, isDisconnected: false },
    }
    this.byName.set(name, agent)
    this.#byToken.set(agent.token, agent)
    this.all.push(agent)
    this.heard(agent)
    return agent
  }

  /** By the header of its calls. */
  of(authorization: string | undefined): HubAgent | undefined {
    return this.#byToken.get(authorization?.replace(/^Token /, '') ?? '')
  }

  /** It lives: its time begins anew. */
  heard(agent: HubAgent): void {
    clearTimeout(this.#timers.get(agent))
    const { neverSynced, idle, occupied } = this.#limits
    const limit = agent.job !== undefined ? occupied : agent.syncs === 0 ? neverSynced : idle
    const timer = setTimeout(() => this.delete(agent, 'it was silent for too long'), limit)
    this.#timers.set(agent, timer.unref())
  }

  /** Its job fails: nobody will ever report it. */
  delete(agent: HubAgent, reason: string): void {
    this.forget(agent)
    if (agent.job !== undefined) this.#jobs.finish(agent.job, 'failed', reason)
    agent.job = undefined
  }

  /** The name is free, and the token unknown. Its job stays where it is. */
  forget(agent: HubAgent): void {
    clearTimeout(this.#timers.get(agent))
    this.#timers.delete(agent)
    this.#byToken.delete(agent.token)
    if (this.byName.get(agent.name) === agent) this.byName.delete(agent.name)
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
  }
}
