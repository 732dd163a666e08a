/**
 * Waiting for abort signals without leaving anything at them. `AbortSignal.any` and
 * `AbortSignal.timeout` keep whatever listens to them until a source is aborted or the time is over:
 * at a signal that lives as long as a job or the agent that adds up.
 *
 * @module
 */

/**
 * Calls the listener once the signal is aborted: at once, if it is already.
 *
 * @returns to be disposed of when nothing is waited for any more; repeatable
 */
export function onAbort(signal: AbortSignal, listener: () => void): Disposable {
  if (signal.aborted) listener()
  else signal.addEventListener('abort', listener, { once: true })
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', listener) }
}

/** Aborted by itself or with the first of other signals, which it lets go of when disposed of. */
export class LinkedAbort implements Disposable {
  readonly #controller = new AbortController()
  readonly #links: readonly Disposable[]

  constructor(...signals: readonly AbortSignal[]) {
    this.#links = signals.map((signal) => onAbort(signal, () => this.abort(signal.reason)))
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  abort(reason?: unknown): void {
    this.#controller.abort(reason)
  }

  [Symbol.dispose](): void {
    for (const link of this.#links) link[Symbol.dispose]()
  }
}

/** Aborted when the time is over, or with the first of other signals. */
export class Deadline extends LinkedAbort {
  readonly #timer: NodeJS.Timeout

  constructor(limitMs: number, ...signals: readonly AbortSignal[]) {
    super(...signals)
    const problem = `timed out after ${limitMs / 1_000} s`
    const expire = () => this.abort(new DOMException(problem, 'TimeoutError'))
    this.#timer = setTimeout(expire, limitMs)
  }

  override [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    super[Symbol.dispose]()
  }
}

/**
 * The work itself goes on to its own end.
 *
 * @throws the signal's reason, as soon as it is aborted
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  using _ = onAbort(signal, () => reject(signal.reason))
  return await Promise.race([work, aborted])
}
