/**
 * Removes the containers and networks that earlier jobs left on the engine. Retries in the
 * background while the engine is unavailable, since it may come up later than the agent.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { DockerUnreachableError, explain } from '../errors.ts'
import type { LeftoverOptions } from '../executors/container/leftovers.ts'
import type { Logger } from '../log.ts'

export interface OrphanReaperOptions extends LeftoverOptions {
  readonly log: Logger
  /** Aborted when the agent ends: the next start removes the rest. */
  readonly signal: AbortSignal
}

/** Between two attempts, in ms; the last one repeats. */
const PAUSES_MS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000]

export class OrphanReaper {
  readonly #options: OrphanReaperOptions
  #running: { readonly attempted: Promise<void> } | undefined
  /** There may be orphans that the running attempt has not seen. */
  #isDue = false

  constructor(options: OrphanReaperOptions) {
    this.#options = options
  }

  /**
   * Runs in the background until one attempt has succeeded.
   *
   * @param isNeeded whether there are known orphans: otherwise a host without an engine is skipped
   * @returns after the first attempt
   */
  async start(isNeeded: boolean): Promise<void> {
    if (!isNeeded && !existsSync(this.#options.socketPath)) return
    this.#isDue = true
    if (this.#running === undefined) {
      const { promise: attempted, resolve } = Promise.withResolvers<void>()
      this.#running = { attempted }
      void this.#reap(resolve).finally(() => {
        this.#running = undefined
        resolve()
      })
    }
    await this.#running.attempted
  }

  async #reap(onAttempted: () => void): Promise<void> {
    const { log, signal } = this.#options
    const { removeLeftovers } = await import('../executors/container/leftovers.ts')
    for (let attempt = 0; this.#isDue && !signal.aborted; attempt++) {
      this.#isDue = false
      try {
        const count = await removeLeftovers(this.#options)
        if (count > 0) log.info(`Removed ${count} containers and networks of earlier jobs`)
      } catch (error) {
        this.#isDue = true
        onAttempted()
        const isAway = error instanceof DockerUnreachableError
        if (attempt === 0) {
          const text = `Cannot remove the containers and networks of earlier jobs yet: ${explain(error)}`
          if (isAway) log.warn(text)
          else log.error(text)
        }
        const pause = PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)]
        await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined) // aborted: done
      }
    }
  }
}
