/** What goes wrong between an agent and its control plane, on command. */

import type { RequestKind } from './record.ts'

/**
 * `lost`: done, and the connection destroyed instead of an answer; `reset`: destroyed before
 * anything is done; `cut`: destroyed in the middle of the request's body; `hang`: no answer, ever.
 * An object with a status or a body is the answer, and nothing is done; with a delay alone, it is
 * done that much later.
 */
export type Fault =
  | 'lost'
  | 'reset'
  | 'cut'
  | 'hang'
  | { readonly status?: number; readonly body?: string; readonly delayMs?: number }

export interface FaultRule {
  readonly on: RequestKind | 'any'
  readonly fault: Fault
  /** How many requests it meets. Default 1. */
  readonly times?: number
  /** How many are let through before. Default 0. */
  readonly after?: number
}

interface Arrival {
  readonly kind: RequestKind
  readonly path: string
}

/** Decides for each request. Rules are used in the order in which they were given. */
export class Faults {
  readonly #rules: { rule: FaultRule; passed: number; used: number }[] = []
  /** For what no rule meets: chance, as a rule. */
  always: ((arrival: Arrival) => Fault | undefined) | undefined

  add(rule: FaultRule): void {
    this.#rules.push({ rule, passed: 0, used: 0 })
  }

  clear(): void {
    this.#rules.length = 0
    this.always = undefined
  }

  /** Whether all that was ordered has happened. */
  get isSpent(): boolean {
    return this.#rules.length === 0
  }

  next(arrival: Arrival): Fault | undefined {
    for (const [index, entry] of this.#rules.entries()) {
      const { on, fault, times = 1, after = 0 } = entry.rule
      if (on !== 'any' && on !== arrival.kind) continue
      if (entry.passed++ < after) continue
      entry.used++
      if (entry.used >= times) this.#rules.splice(index, 1)
      return fault
    }
    return this.always?.(arrival)
  }
}
