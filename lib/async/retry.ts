/**
 * Repeating what may succeed later.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'

export interface RetryOptions {
  /** In ms, before the second attempt, the third…: when they are used up, the last failure is thrown. */
  readonly delaysMs: Iterable<number>
  /** Ends the delays and further attempts. Default: nothing does. */
  readonly signal?: AbortSignal | undefined
  /** Whether a later attempt may succeed. Default: always. */
  readonly isRetryable?: (error: unknown) => boolean
  /** Called before each delay, and awaited. */
  readonly onRetry?: (error: unknown, next: NextAttempt) => unknown
}

export interface NextAttempt {
  /** 2 for the first repetition. */
  readonly attempt: number
  readonly delayMs: number
}

/**
 * @param action called with the number of the attempt, beginning with 1
 * @throws what the action throws: when it is not retryable, in the last attempt, or after an abort
 * @throws an AbortError when the signal is aborted during a delay
 */
export async function retry<T>(
  action: (attempt: number) => Promise<T>,
  { delaysMs, signal, isRetryable = () => true, onRetry }: RetryOptions,
): Promise<T> {
  let attempt = 1
  for (const delayMs of delaysMs) {
    try {
      return await action(attempt)
    } catch (error) {
      if (signal?.aborted || !isRetryable(error)) throw error
      attempt++
      await onRetry?.(error, { attempt, delayMs })
    }
    await sleep(delayMs, undefined, { ...(signal && { signal }) })
  }
  return await action(attempt)
}

export interface Backoff {
  readonly firstMs: number
  /** No delay is longer. */
  readonly maxMs: number
  /** 0 to 1, the random part of each delay: many agents must not come back at the same moment. Default 0. */
  readonly jitter?: number
}

/** Delays without end, each twice as long as the one before. */
export function* backoff({ firstMs, maxMs, jitter = 0 }: Backoff): Generator<number, never> {
  for (let delayMs = firstMs; ; delayMs *= 2) {
    delayMs = Math.min(delayMs, maxMs)
    yield delayMs * (1 - jitter * Math.random())
  }
}
