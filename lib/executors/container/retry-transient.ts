/**
 * Retries transient failures of registries and AWS.
 *
 * @module
 */

import { retry } from '../../async/retry.ts'
import { isTransientFailure } from '../../docker/transient-failure.ts'
import { AwsError, DockerRefusedError, ImagePullError } from '../../errors.ts'
import type { RunOptions } from '../executor.ts'

/** Half a minute in all. */
const DELAYS_MS: readonly number[] = [1_000, 3_000, 8_000, 20_000]

/**
 * Repeats the action after transient failures: a dropped connection, too many requests, an error of
 * the server. Each repetition is announced in the output.
 *
 * @throws what the action throws: when it is not transient, or in the last attempt
 * @throws when the signal is aborted, during a delay as well
 */
export async function retryTransient<T>(
  action: () => Promise<T>,
  { signal, onOutput }: RunOptions,
  delaysMs = DELAYS_MS,
): Promise<T> {
  return await retry(action, {
    delaysMs,
    signal,
    isRetryable: isTransient,
    onRetry: async (error, { delayMs }) =>
      await onOutput(`${(error as Error).message}; trying again in ${delayMs / 1_000} s\n`),
  })
}

function isTransient(error: unknown): boolean {
  if (error instanceof DockerRefusedError) {
    return error.status === 429 || isTransientFailure(error.reason)
  }
  return (error instanceof ImagePullError || error instanceof AwsError) && error.transient
}
