/**
 * What is known of a service while it is waited for, and what is said when that was in vain.
 *
 * @module
 */

import type { Waits } from '../../../async/waits.ts'
import type { RunOptions } from '../../executor.ts'
import type { PortOptions } from './ports.ts'

export interface Service {
  /** As in the request. */
  readonly name: string
  readonly id: string
  /** The image's own. */
  readonly healthCheck: readonly string[] | undefined
  /** Those its image exposes, TCP only. */
  readonly ports: readonly number[]
  /** Of its image. */
  readonly platform: string
}

export interface ReadyOptions extends PortOptions, RunOptions {
  /** For what is cut or reformatted before it comes into the log. */
  readonly mask: (text: string) => string
  readonly waits?: Waits | undefined
}

export const FAILED_HINT =
  'See its last output above; check its image, command and variables in the job.'

export const LATE_HINT = 'See its last output above; --service-start-timeout gives it more time.'

/** @returns tells how long ago that was, as the log says it */
export function startStopwatch(): () => string {
  const startedAt = performance.now()
  return () => `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`
}
