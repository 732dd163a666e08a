/**
 * How an agent shuts down: one phase after another, each of which ends something that jobs wait for.
 * Phases are entered only in order; a skipped one counts as entered.
 *
 * @module
 */

/** Phases that lead to another one after a time. */
const DEADLINES: Partial<Record<ShutdownPhase, { next: ShutdownPhase; afterMs: number }>> = {
  draining: { next: 'collectionDeadline', afterMs: 30_000 },
  forcedStop: { next: 'callbackDeadline', afterMs: 5_000 },
}

export type ShutdownPhase = keyof ReturnType<typeof createPhases>

export class Shutdown {
  readonly #phases = createPhases()

  /** Repeatable: a phase that has been entered is not entered again. */
  enter(phase: ShutdownPhase): void {
    for (const [name, entered] of entriesOf(this.#phases)) {
      if (!entered.signal.aborted) {
        entered.abort()
        this.#startDeadline(name)
      }
      if (name === phase) return
    }
  }

  /** Aborted when the phase is entered. */
  at(phase: ShutdownPhase): AbortSignal {
    return this.#phases[phase].signal
  }

  #startDeadline(phase: ShutdownPhase): void {
    const deadline = DEADLINES[phase]
    if (deadline === undefined) return
    setTimeout(() => this.enter(deadline.next), deadline.afterMs).unref()
  }
}

/** In order. */
function createPhases() {
  return {
    /** No more jobs are accepted; running ones continue. */
    draining: new AbortController(),
    /** Logs that have not been collected are kept for later. */
    collectionDeadline: new AbortController(),
    /** Jobs end at once, without a grace period. */
    forcedStop: new AbortController(),
    /** Callbacks that are still pending are left to the next start. */
    callbackDeadline: new AbortController(),
    /** This process has nothing left to do. */
    done: new AbortController(),
  }
}

function entriesOf<T extends object>(record: T): [keyof T, T[keyof T]][] {
  return Object.entries(record) as [keyof T, T[keyof T]][]
}
