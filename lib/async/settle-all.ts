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

/** @throws the failure there is, or all of them as one: whoever clears up goes on after the first */
export function throwFailures(
  results: readonly PromiseSettledResult<unknown>[],
  message: string,
): void {
  const reasons = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  )
  if (reasons.length === 1) throw reasons[0]
  if (reasons.length > 1) throw new AggregateError(reasons, message)
}
