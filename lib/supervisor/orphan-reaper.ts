/**
 * Removes the containers and networks that earlier jobs left on the engine. Retries in the
 * background while the engine is unavailable, since it may come up later than the agent.
 *
 * @module
 */

import { backoff, type NextAttempt, retry } from '../async/retry.ts'
import { DockerUnreachableError, explain } from '../errors.ts'
import type { ExecutorKind, ReclaimOptions } from '../executors/kind.ts'
import { EXECUTOR_KINDS } from '../executors/registry.ts'
import type { Logger } from '../log.ts'
import type { ExecutorName } from '../request/job-request.ts'

export interface OrphanReaperOptions extends ReclaimOptions {
  readonly log: Logger
  /** Aborted when the agent ends: the next start removes the rest. */
  readonly signal: AbortSignal
}

const BACKOFF = { firstMs: 1_000, maxMs: 60_000 }

export class OrphanReaper {
  readonly #options: OrphanReaperOptions
  #running: { readonly attempted: Promise<void> } | undefined
  /** Executors whose jobs may have left orphans since the running attempt began. */
  readonly #due = new Set<ExecutorKind>()

  constructor(options: OrphanReaperOptions) {
    this.#options = options
  }

  /**
   * Runs in the background until one attempt has succeeded.
   *
   * @param known executors of jobs that have left something; others are asked where that may be
   * @returns after the first attempt
   */
  async start(known: readonly ExecutorName[]): Promise<void> {
    for (const kind of EXECUTOR_KINDS) {
      if (known.includes(kind.name) || kind.mayHaveOrphans(this.#options)) this.#due.add(kind)
    }
    if (this.#due.size > 0 && this.#running === undefined) {
      const { promise: attempted, resolve } = Promise.withResolvers<void>()
      this.#running = { attempted }
      void this.#reap(resolve).finally(() => {
        this.#running = undefined
        resolve()
      })
    }
    await this.#running?.attempted
  }

  /** @param onAttempted called when the first attempt has failed */
  async #reap(onAttempted: () => void): Promise<void> {
    const onRetry = (error: unknown, { attempt }: NextAttempt) => {
      onAttempted()
      if (attempt === 2) this.#report(error)
    }
    const { signal } = this.#options
    const options = { delaysMs: backoff(BACKOFF), signal, onRetry }
    await retry(() => this.#reclaimDue(), options).catch(() => undefined) // aborted: done
  }

  async #reclaimDue(): Promise<void> {
    while (this.#due.size > 0 && !this.#options.signal.aborted) {
      const kinds = [...this.#due]
      this.#due.clear()
      try {
        for (const kind of kinds) await this.#reclaim(kind)
      } catch (error) {
        for (const kind of kinds) this.#due.add(kind)
        throw error
      }
    }
  }

  async #reclaim(kind: ExecutorKind): Promise<void> {
    const count = await kind.reclaim(this.#options)
    if (count > 0) {
      this.#options.log.info(`Removed ${count} containers and networks of earlier jobs`)
    }
  }

  #report(error: unknown): void {
    const { log } = this.#options
    const text = `Cannot remove the containers and networks of earlier jobs yet: ${explain(error)}`
    if (error instanceof DockerUnreachableError) log.warn(text)
    else log.error(text)
  }
}
