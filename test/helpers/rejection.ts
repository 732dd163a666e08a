/** The error a promise rejects with; `assert.throws` cannot see inside a promise. */

import { unreachable } from 'uvu/assert'

export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => unreachable('expected a rejection'),
    (reason: unknown) => reason,
  )
  return error as Error
}
