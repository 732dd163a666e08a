/** The queue of jobs of one agent type, and what became of each. */

import { randomUUID } from 'node:crypto'
import { LogStore } from './log-store.ts'

export const SANITIZED = '{SANITIZED}'

export interface HubJob {
  readonly id: string
  /** As it was queued. */
  readonly document: Readonly<Record<string, unknown>>
  /** `assigned` from the answer that hands it out to the end of its agent's part in it. */
  state: 'queued' | 'assigned' | 'finished'
  /** The name of the agent that has or had it. */
  agent: string | undefined
  /** Its agent has shown that it knows of the job: it fetched it, or told its state. */
  isKnown: boolean
  /** States its agent has told, one after the other. */
  readonly states: string[]
  isStopRequested: boolean
  result: string | undefined
  /** Why the server itself has ended it, if it has. */
  reason: string | undefined
  fetches: number
  firstFetchAt: number
  readonly log: LogStore
  isTrimmed: boolean
  /** Lines in the log when its end was reported. */
  linesAtEnd: number | undefined
}

export class Jobs {
  readonly byId = new Map<string, HubJob>()
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  add(document: Readonly<Record<string, unknown>>, id: string = randomUUID()): HubJob {
    const job: HubJob = {
      ...{ id, document, state: 'queued', agent: undefined, isKnown: false, states: [] },
      ...{ isStopRequested: false, result: undefined, reason: undefined },
      ...{ fetches: 0, firstFetchAt: 0, isTrimmed: false, linesAtEnd: undefined },
      log: new LogStore(this.#directory, id),
    }
    this.byId.set(id, job)
    return job
  }

  /** The one that waits longest; or that job, for an agent that came for it. */
  next(id: string): HubJob | undefined {
    for (const job of this.byId.values()) {
      if (job.state === 'queued' && (id === '' || job.id === id)) return job
    }
    return undefined
  }

  count(state: HubJob['state']): number {
    return [...this.byId.values()].filter((job) => job.state === state).length
  }

  finish(job: HubJob, result: string, reason?: string): void {
    job.state = 'finished'
    job.result = result
    job.reason = reason
    job.linesAtEnd = job.log.lineCount
  }

  close(): void {
    for (const { log } of this.byId.values()) log.close()
  }
}

/** The document without the values of its variables and the content of its files. */
export function sanitize(document: unknown): unknown {
  if (Array.isArray(document)) return document.map(sanitize)
  if (typeof document !== 'object' || document === null) return document
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => [
      key,
      (key === 'value' || key === 'content') && typeof value === 'string'
        ? SANITIZED
        : sanitize(value),
    ]),
  )
}
