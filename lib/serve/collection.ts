/**
 * Waiting for a job's log to be collected (contract, 4.6).
 *
 * @module
 */

import type { Logger } from '../log.ts'

/**
 * Resolves when the log was collected, or the patience is over.
 *
 * @param patience aborted when the collection is not waited for any longer
 */
export async function waitForCollection(
  collected: Promise<void>,
  patience: AbortSignal,
  log: Logger,
): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<'over'>()
  const end = () => resolve('over')
  if (patience.aborted) end()
  else patience.addEventListener('abort', end, { once: true })
  if ((await Promise.race([collected, over])) === 'over') {
    log.warn('Nobody has collected the log of this job in time; it is kept for later')
  }
  patience.removeEventListener('abort', end)
}
