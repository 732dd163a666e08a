/**
 * The agent's HTTP face (see lib/http/README.md), and the one place where errors become answers. It
 * opens no port: a test calls `app.request()`.
 *
 * @module
 */

import { Hono } from 'hono'
import type { JobSlot } from '../job/slot.ts'
import { type Logger, oneLine } from '../log.ts'
import { requireToken } from './auth.ts'
import { jobRoutes } from './jobs.ts'
import { type AgentLog, logRoutes } from './logs.ts'
import { errorResponse, messageResponse, methodResponse } from './responses.ts'
import { statusRoutes } from './status.ts'
import type { ServerEnv } from './stream-response.ts'

export interface AppOptions {
  readonly slot: JobSlot
  /** Its bytes sign the tokens of clients. */
  readonly secret: string
  readonly version: string
  readonly log: Logger
  /** Absent when the agent keeps none. */
  readonly agentLog?: AgentLog | undefined
  /** The largest job request that is taken. */
  readonly maxBodyBytes: number
  /** Prometheus text. */
  readonly metrics: () => Promise<string> | string
}

/** @throws {ConfigError} when the secret is empty */
export function createApp(options: AppOptions): Hono<ServerEnv> {
  const { secret, slot, log, maxBodyBytes } = options
  const app = new Hono<ServerEnv>()
  app.get('/is_alive', (c) => c.text('yes'))
  app.use(async (c, next) => {
    await next()
    log.debug(`${c.req.method} ${oneLine(c.req.path)}: ${c.res.status}`)
  })
  app.use(requireToken(secret))
  app.route('/', statusRoutes(options))
  app.route('/', jobRoutes(slot, maxBodyBytes))
  app.route('/', logRoutes(options))
  refuseOtherMethods(app)
  app.notFound((c) => messageResponse(`There is no ${c.req.method} ${c.req.path}`, 404))
  app.onError((error) => errorResponse(error, log))
  return app
}

/** A path that exists is not "not found": say which method it takes. */
function refuseOtherMethods(app: Hono<ServerEnv>): void {
  const routes = app.routes.filter(({ method }) => method !== 'ALL')
  for (const { path, method } of routes) {
    const allow = method === 'GET' ? 'GET, HEAD' : method
    app.all(path, (c) => methodResponse(c, allow))
  }
}
