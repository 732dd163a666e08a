/**
 * Independent calls at the same time.
 *
 * @module
 */

/**
 * As `Promise.all`, but nothing is still under way when it rejects: what a call was about to make
 * is made, and can be removed.
 *
 * @throws the error that came first
 */
export async function settleAll<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const first = Promise.all(work)
  first.catch(() => undefined) // thrown below, once the others are through
  await Promise.allSettled(work)
  return await first
}
