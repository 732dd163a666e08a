/**
 * Keeps trying to remove what earlier jobs have left on the engine, which may be away, or come up
 * later than the agent does.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { DockerUnreachableError, explain } from '../errors.ts'
import type { LeftoverOptions } from '../executors/container/leftovers.ts'
import type { Logger } from '../log.ts'

export interface SweepOptions extends LeftoverOptions {
  readonly log: Logger
  /** Aborted when the agent ends: the next one starts with what is left then. */
  readonly signal: AbortSignal
}

/** Between two tries, in ms; the last one for good. */
const PAUSES_MS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000]

export class EngineSweeper {
  readonly #options: SweepOptions
  #running: { readonly tried: Promise<void> } | undefined
  /** Something was left since the sweep that runs has looked. */
  #isDue = false

  constructor(options: SweepOptions) {
    this.#options = options
  }

  /**
   * Sweeps until it has succeeded once, beside whatever else the agent does.
   *
   * @param isNeeded whether something is known to be left: else a host without an engine has nothing
   * @returns when the first try is over
   */
  async start(isNeeded: boolean): Promise<void> {
    if (!isNeeded && !existsSync(this.#options.socketPath)) return
    this.#isDue = true
    if (this.#running === undefined) {
      const { promise: tried, resolve } = Promise.withResolvers<void>()
      this.#running = { tried }
      void this.#sweep(resolve).finally(() => {
        this.#running = undefined
        resolve()
      })
    }
    await this.#running.tried
  }

  async #sweep(onTried: () => void): Promise<void> {
    const { log, signal } = this.#options
    const { removeLeftovers } = await import('../executors/container/leftovers.ts')
    for (let tries = 0; this.#isDue && !signal.aborted; tries++) {
      this.#isDue = false
      try {
        const count = await removeLeftovers(this.#options)
        if (count > 0) log.info(`Removed ${count} containers and networks of earlier jobs`)
      } catch (error) {
        this.#isDue = true
        onTried()
        const isAway = error instanceof DockerUnreachableError
        if (tries === 0) {
          const text = `What earlier jobs left on the engine cannot be removed yet: ${explain(error)}`
          if (isAway) log.warn(text)
          else log.error(text)
        }
        const pause = PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)]
        await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined) // aborted: over
      }
    }
  }
}
