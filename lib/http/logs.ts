/**
 * Gives out the logs of jobs, and the agent's own.
 *
 * @module
 */

import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { JobLog } from '../events/job-log.ts'
import type { JobSlot } from '../job/slot.ts'
import type { Logger } from '../log.ts'
import { messageResponse } from './responses.ts'
import { toServerSentEvents } from './server-sent-events.ts'
import { type ServerContext, type ServerEnv, streamResponse, whenSent } from './stream-response.ts'

const TEXT = 'text/plain; charset=utf-8'
const EVENT_STREAM = 'text/event-stream'
const HEARTBEAT_MS = 15_000

/** The client whose read of a whole log lets a job end (see lib/job/README.md). */
const COLLECTOR = 'archivator'

export interface LogRoutesOptions {
  readonly slot: JobSlot
  readonly log: Logger
  readonly agentLog?: AgentLog | undefined
}

/** The agent's own. */
export interface AgentLog {
  /** As long as it is now; undefined when it cannot be read. */
  read(): AsyncGenerator<Uint8Array, void, undefined> | undefined
}

export function logRoutes({ slot, log, agentLog }: LogRoutesOptions): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .get('/jobs/:id/log', async (c) => {
      const id = c.req.param('id')
      const jobLog = await slot.log(id)
      if (jobLog === undefined) return messageResponse(`job ${id} is not running`, 404)
      return await jobLogResponse(c, jobLog, { log, collected: () => slot.collected(id) })
    })
    .get('/job_logs', async (c) => {
      const { currentLog, currentId } = slot
      if (currentLog === undefined || currentId === undefined) {
        return messageResponse('no job is running', 404)
      }
      return await jobLogResponse(c, currentLog, {
        log,
        collected: () => slot.collected(currentId),
      })
    })
    .get('/agent_logs', async (c) => {
      const chunks = agentLog?.read()
      if (chunks === undefined) return messageResponse('the agent keeps no log of its own', 404)
      return await streamResponse(c, { chunks, contentType: TEXT, isLive: false, log })
    })
}

interface JobLogResponse {
  readonly log: Logger
  readonly collected: () => void
}

async function jobLogResponse(
  c: ServerContext,
  jobLog: JobLog,
  { log, collected }: JobLogResponse,
): Promise<Response> {
  const sendsEvents = c.req.header('accept')?.includes(EVENT_STREAM) === true
  const from = firstLine(c, sendsEvents)
  const isLive = readFollow(c, sendsEvents)
  // The only way to tell an EventSource not to come back.
  if (sendsEvents && jobLog.ended && from >= jobLog.lineCount) {
    return new Response(null, { status: 204 })
  }
  const reader = jobLog.read(from, { follow: isLive, signal: c.req.raw.signal })
  if (c.req.method !== 'HEAD' && c.req.header('x-client-name') === COLLECTOR) {
    whenSent(c, () => {
      if (reader.reachedEnd) collected()
    })
  }
  return await streamResponse(c, {
    chunks: sendsEvents
      ? toServerSentEvents(reader, { firstId: from, heartbeatMs: HEARTBEAT_MS })
      : reader,
    contentType: sendsEvents ? EVENT_STREAM : TEXT,
    isLive,
    log,
  })
}

/** Where to begin: after the last event a client has, else as `start_from` says. */
function firstLine(c: ServerContext, sendsEvents: boolean): number {
  const start = readLineNumber('start_from', c.req.query('start_from')) ?? 0
  if (!sendsEvents) return start
  const lastEvent = readLineNumber('Last-Event-ID', c.req.header('last-event-id'))
  return lastEvent === undefined ? start : lastEvent + 1
}

function readLineNumber(name: string, value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined
  const number = Number(value)
  if (/^\d+$/.test(value) && Number.isSafeInteger(number)) return number
  throw new HTTPException(422, {
    message: `${name}: expected a whole number from 0, got ${JSON.stringify(value)}`,
  })
}

/** Events are for those who stay: they follow unless told not to. */
function readFollow(c: ServerContext, sendsEvents: boolean): boolean {
  const value = c.req.query('follow')
  if (value === undefined || value === '') return sendsEvents
  if (value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  throw new HTTPException(422, {
    message: `follow: expected true or false, got ${JSON.stringify(value)}`,
  })
}
