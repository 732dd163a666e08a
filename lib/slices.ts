/**
 * Long work on the only thread, in slices: between two of them everything else has its turn.
 *
 * @module
 */

import { setImmediate } from 'node:timers/promises'

/** Nobody notices a pause as short as this. */
const SLICE_MS = 10

/** Runs work that yields wherever it can be interrupted. */
export async function inSlices<T>(work: Generator<void, T, undefined>): Promise<T> {
  let since = performance.now()
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
    if (performance.now() - since < SLICE_MS) continue
    await setImmediate()
    since = performance.now()
  }
}

/** Runs it without a pause, where nobody waits. */
export function atOnce<T>(work: Generator<void, T, undefined>): T {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
  }
}
