/**
 * How the agent is: for load balancers, control planes and monitoring.
 *
 * @module
 */

import { Hono } from 'hono'
import type { JobSlot } from '../job/slot.ts'
import type { ServerEnv } from './stream-response.ts'

export interface StatusOptions {
  readonly slot: JobSlot
  readonly version: string
  /** Prometheus text. */
  readonly metrics: () => Promise<string> | string
}

export function statusRoutes({ slot, version, metrics }: StatusOptions): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .get('/status', (c) => c.json({ state: slot.state, version }))
    .get('/metrics', async () => {
      const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }
      return new Response(await metrics(), { headers })
    })
}
