/** What a control plane remembers of each request, and of each rule that was broken. */

import type { IncomingHttpHeaders } from 'node:http'
import type { Fault } from './faults.ts'

export type RequestKind =
  | 'artifacts'
  | 'callback'
  | 'disconnect'
  | 'job'
  | 'log'
  | 'metrics'
  | 'refresh'
  | 'register'
  | 'sync'
  | 'upload'
  | 'unknown'

export interface RecordedRequest {
  readonly kind: RequestKind
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** Arrived, and answered or destroyed: milliseconds of `performance.now()`. */
  readonly at: number
  endedAt: number | undefined
  /** Of logs and uploads only its length is kept. */
  text: string
  bytes: number
  /** Lines, of a log. */
  lines: number
  /** Name of the agent whose token it carried. */
  agent: string | undefined
  /** 0 when there was no answer. */
  status: number
  /** The answer's own. */
  answer: string
  fault: Fault | undefined
}

export interface Answer {
  readonly status: number
  readonly json?: unknown
  readonly text?: string
}

/** Breaks of the server's rules: each is a sentence that names the agent or the job. */
export class Violations {
  readonly list: string[] = []

  add(sentence: string): void {
    this.list.push(sentence)
  }
}
