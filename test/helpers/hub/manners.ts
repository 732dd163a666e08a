/** Rules for the calls themselves: one at a time, not too often, and by their proper name. */

import type { RecordedRequest, Violations } from './record.ts'

const USER_AGENT = /^SemaphoreAgent\/v\d+\.\d+\.\d+$/

/** A sync that says nothing new may come this part of the agreed time early. */
const EARLY = 0.25

export class Manners {
  readonly #violations: Violations
  readonly #underWay = new Map<string, Set<RecordedRequest>>()
  readonly #overlapped = new WeakSet<RecordedRequest>()
  /** The last sync of each agent that was answered: what it said, and when to come again. */
  readonly #answered = new Map<string, { text: string; at: number; waitMs: number }>()

  constructor(violations: Violations) {
    this.#violations = violations
  }

  begin(request: RecordedRequest): void {
    const { kind, headers } = request
    const userAgent = headers['user-agent'] ?? ''
    if (kind !== 'upload' && kind !== 'unknown' && !USER_AGENT.test(userAgent)) {
      this.#violations.add(`${kind} is called by "${userAgent}"`)
    }
    const key = keyOf(request)
    if (key === undefined) return
    const others = this.#underWay.get(key) ?? new Set()
    for (const other of others) this.#overlapped.add(other)
    this.#underWay.set(key, others.add(request))
    if (kind === 'sync') this.#checkInterval(request)
  }

  /** @param isAnswered and nobody had hung up before: only then there were two at a time */
  end(request: RecordedRequest, isAnswered: boolean): void {
    const key = keyOf(request)
    if (key === undefined) return
    this.#underWay.get(key)?.delete(request)
    if (isAnswered && this.#overlapped.has(request)) {
      this.#violations.add(`${key}: another request comes before this one is answered`)
    }
    if (request.kind === 'sync') this.#remember(request, isAnswered)
  }

  forgetTimes(): void {
    this.#answered.clear()
  }

  #checkInterval({ agent = '', text, at }: RecordedRequest): void {
    const last = this.#answered.get(agent)
    if (last === undefined || last.text !== text || at - last.at >= last.waitMs * (1 - EARLY))
      return
    const early = (last.at + last.waitMs - at).toFixed(0)
    this.#violations.add(`${agent} syncs ${text} ${early} ms too early`)
  }

  /** From its arrival on: when its answer went out this process may have noticed late. */
  #remember({ agent = '', text, answer, at }: RecordedRequest, isAnswered: boolean): void {
    this.#answered.delete(agent)
    if (!isAnswered) return
    try {
      const { action, next_sync_after: waitMs = 0 } = JSON.parse(answer) as Record<string, unknown>
      if (action !== 'continue' || typeof waitMs !== 'number') return
      this.#answered.set(agent, { text, at, waitMs })
    } catch {
      // No answer that sets a time.
    }
  }
}

/** What there may be one of at a time. */
function keyOf({ kind, agent, path }: RecordedRequest): string | undefined {
  if (kind === 'sync') return `sync of ${agent ?? 'nobody'}`
  return kind === 'log' ? `push to ${path}` : undefined
}
