/**
 * A key as a regular expression over the keys there are.
 *
 * @module
 */

import { Worker } from 'node:worker_threads'
import { createGate } from '../async/in-order.ts'
import { CacheError } from '../errors.ts'

/** An expression can be written so that it takes longer than the universe lasts. */
const LIMIT_MS = 2_000

/** Flags in front, as other tools take them: `(?i)name`. */
const FLAGS = /^\(\?([ims]+)\)/

/** In a thread of its own: the agent's only one has others to answer meanwhile. */
const SEARCH = `
const { parentPort, workerData: { keys, source, flags } } = require('node:worker_threads')
const expression = new RegExp(source, flags)
parentPort.postMessage(keys.find((key) => expression.test(key)))
`

/** Of one thread's memory: a hundred thousand keys take a fifth of it. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 }

/** Of all jobs' programs: a loop of a script must not make a thousand threads. */
const whenThreadIsFree = createGate(1)

/**
 * @param keys the best first
 * @returns the first that matches; undefined when none does, or the pattern is no expression
 * @throws {CacheError} when that takes too long
 */
export async function findMatch(
  pattern: string,
  keys: readonly string[],
): Promise<string | undefined> {
  const [front = '', flags = ''] = FLAGS.exec(pattern) ?? []
  const source = pattern.slice(front.length)
  if (keys.length === 0 || !isExpression(source, flags)) return undefined
  return await whenThreadIsFree(() => search(pattern, { keys, source, flags }))
}

/** What is none is only a name, and that one is not there. */
function isExpression(source: string, flags: string): boolean {
  try {
    new RegExp(source, flags)
    return true
  } catch {
    return false
  }
}

async function search(pattern: string, workerData: object): Promise<string | undefined> {
  const worker = new Worker(SEARCH, {
    ...{ eval: true, workerData, resourceLimits: RESOURCE_LIMITS },
    ...{ execArgv: [], env: {} },
  })
  const found = Promise.withResolvers<string | undefined>()
  const giveUp = (cause?: unknown) => found.reject(tooSlow(pattern, cause))
  worker.once('message', found.resolve)
  worker.once('error', giveUp)
  const limit = setTimeout(giveUp, LIMIT_MS)
  try {
    return await found.promise
  } finally {
    clearTimeout(limit)
    await worker.terminate()
  }
}

function tooSlow(pattern: string, cause: unknown): CacheError {
  return new CacheError(`'${pattern}' takes too long to match against the stored keys`, {
    hint: 'Avoid nested repetitions in the expression.',
    cause,
  })
}
