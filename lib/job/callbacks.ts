/**
 * Reports to the control plane that a job has finished, and later that it is torn down (see lib/job/README.md).
 *
 * @module
 */

import { type NextAttempt, retry } from '../async/retry.ts'
import { explain } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import type { Logger } from '../log.ts'
import type { Callbacks } from '../request/job-request.ts'

/** Neither method rejects: a callback that never succeeds is logged, and the job still ends. */
export interface CallbackSender {
  finished(result: JobResult): Promise<void>
  teardownFinished(): Promise<void>
}

export interface CallbackOptions {
  /** Attempts per callback, one second apart. */
  readonly attempts: number
  readonly log: Logger
  /** Aborted when callbacks are no longer waited for. */
  readonly signal?: AbortSignal | undefined
  /** For one attempt. Default 30,000, see lib/job/README.md. */
  readonly timeoutMs?: number
  /** Between two attempts. Default 1,000, see lib/job/README.md. */
  readonly delayMs?: number
  /** Called for each callback that never succeeded. */
  readonly onFailure?: () => void
}

const TIMEOUT_MS = 30_000
const DELAY_MS = 1_000

/** Without a URL there is no callback, and the method resolves at once. */
export function createCallbackSender(
  callbacks: Callbacks,
  options: CallbackOptions,
): CallbackSender {
  const { finished, teardownFinished, token } = callbacks
  return {
    finished: (result) =>
      send({ name: 'finished', url: finished, body: { result }, token }, options),
    teardownFinished: () =>
      send({ name: 'teardown_finished', url: teardownFinished, body: {}, token }, options),
  }
}

interface Callback {
  readonly name: string
  readonly url: string | undefined
  readonly body: unknown
  readonly token: string | undefined
}

async function send({ name, url, body, token }: Callback, options: CallbackOptions): Promise<void> {
  if (url === undefined || options.attempts === 0) return
  const { attempts, log, signal, timeoutMs = TIMEOUT_MS, delayMs = DELAY_MS } = options
  const { postJson } = await import('../outbound.ts') // only a job with callbacks needs an HTTP client
  const what = `The ${name} callback to ${withoutSecrets(url)}`
  let reason = 'there was no time left'
  const action = async () => {
    signal?.throwIfAborted()
    try {
      const status = await postJson({ url, body, token, timeoutMs, signal })
      if (status >= 200 && status < 300) return
      reason = `it answered ${status}`
    } catch (error) {
      reason = explain(error)
    }
    throw new Error(reason)
  }
  const onRetry = (_: unknown, { attempt }: NextAttempt) => {
    if (attempt === 2) log.warn(`${what} failed in attempt 1 of ${attempts}: ${reason}`)
  }
  const delaysMs = Array.from({ length: attempts - 1 }, () => delayMs)
  try {
    await retry(action, { delaysMs, signal, onRetry })
  } catch {
    options.onFailure?.()
    const end = signal?.aborted ? 'until the agent had to stop' : `${attempts} times`
    log.error(`${what} failed ${end}; giving up: ${reason}`)
  }
}

/** A URL may carry a password or a token in its query. */
function withoutSecrets(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}
