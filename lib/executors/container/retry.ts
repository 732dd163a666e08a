/**
 * Retries transient failures of registries and AWS.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { isPassingFailure } from '../../docker/passing-failure.ts'
import { AwsError, DockerRefusedError, ImagePullError } from '../../errors.ts'
import type { RunOptions } from '../executor.ts'

/** Before the second try, the third…: half a minute in all. */
const PAUSES_MS: readonly number[] = [1_000, 3_000, 8_000, 20_000]

/**
 * Does the work again, after a growing pause, as long as it fails by what passes: a dropped
 * connection, too many requests, a server's own trouble. Says so each time.
 *
 * @throws what the work throws, when it does not pass, or the last time
 * @throws when the signal is aborted, in a pause as well
 */
export async function retryPassing<T>(
  work: () => Promise<T>,
  { signal, onOutput }: RunOptions,
  pausesMs = PAUSES_MS,
): Promise<T> {
  for (const pauseMs of pausesMs) {
    try {
      return await work()
    } catch (error) {
      if (signal.aborted || !(error instanceof Error) || !passes(error)) throw error
      const seconds = pauseMs / 1_000
      await onOutput(`${error.message}; trying again in ${seconds} s\n`)
    }
    await sleep(pauseMs, undefined, { signal })
  }
  return await work()
}

function passes(error: Error): boolean {
  if (error instanceof DockerRefusedError) {
    return error.status === 429 || isPassingFailure(error.reason)
  }
  return (error instanceof ImagePullError || error instanceof AwsError) && error.passing
}
