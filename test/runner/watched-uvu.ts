/**
 * Stands in for `uvu` in test files: the same suites, but the runner learns of every test, and of
 * what uvu passes over in silence: hooks that throw, `.only` and `.skip` left in, `.run()` forgotten.
 *
 * @module
 */

import { inspect } from 'node:util'
import * as uvu from 'uvu'
import { send } from './message.ts'

type State = Record<string, unknown>
type Step = (state: State) => Promise<void> | void

interface Watched {
  readonly name: string
  tests: number
}

/** Suites that hold tests no call of `.run()` has reached. */
const waiting = new Set<Watched>()

export function suite(name: string, state: State = {}) {
  const real = uvu.suite<State>(name, state)
  const watched: Watched = { name, tests: 0 }

  const add = (title: string, step: Step) => {
    watched.tests++
    waiting.add(watched)
    return watchTest(`${name}: ${title}`, step)
  }
  const hook = (kind: string, step: Step) => watchHook(`${name}: ${kind}`, step)

  const test = (title: string, step: Step) => real(title, add(title, step))
  return Object.assign(test, {
    only(title: string, step: Step) {
      problem(`"${name}: ${title}" is marked .only: the other tests of its suite did not run`)
      real.only(title, add(title, step))
    },
    skip(title = '') {
      problem(`"${name}: ${title}" is marked .skip: it did not run`)
    },
    before: Object.assign((step: Step) => real.before(hook('before', step)), {
      each: (step: Step) => real.before.each(hook('before.each', step)),
    }),
    after: Object.assign((step: Step) => real.after(quietHook(`${name}: after`, step)), {
      each: (step: Step) => real.after.each(quietHook(`${name}: after.each`, step)),
    }),
    run() {
      waiting.delete(watched)
      real.run()
    },
  })
}

/** uvu's suite without a name. */
export const test = suite('')

/** Runs what the imported test file has queued. */
export async function runQueue(): Promise<void> {
  for (const { name, tests } of waiting) {
    problem(`${tests} tests of suite "${name}" never run: its .run() is missing`)
  }
  await uvu.exec()
}

function watchTest(title: string, step: Step): Step {
  return async (state) => {
    send({ type: 'started', title })
    try {
      await step(state)
    } catch (error) {
      send({ type: 'failed', title })
      throw withActual(error) // uvu prints it, with a diff
    }
    send({ type: 'passed', title })
  }
}

/** Of a text that does not match uvu prints only what was expected of it. */
function withActual(error: unknown): unknown {
  const { operator = '', actual } = error as { operator?: string; actual?: unknown }
  const isText = operator.endsWith('match') && typeof actual === 'string'
  return isText ? Object.assign(error as Error, { details: `Actual:\n${actual}` }) : error
}

/** The error goes on: what needs the hook must not run. */
function watchHook(title: string, step: Step): Step {
  return async (state) => {
    try {
      await step(state)
    } catch (error) {
      problem(`${title} hook threw ${inspect(error)}`)
      throw error
    }
  }
}

/** The error ends here: uvu would leave out the suite's other tests without a word. */
function quietHook(title: string, step: Step): Step {
  return async (state) => {
    try {
      await step(state)
    } catch (error) {
      problem(`${title} hook threw ${inspect(error)}`)
    }
  }
}

function problem(text: string): void {
  send({ type: 'problem', text })
}
