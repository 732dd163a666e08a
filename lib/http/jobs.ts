/**
 * Takes jobs and stops them.
 *
 * @module
 */

import { Hono } from 'hono'
import type { JobSlot, Submission } from '../job/slot.ts'
import { BodyReader } from './body.ts'
import { messageResponse } from './responses.ts'
import type { ServerEnv } from './stream-response.ts'

export function jobRoutes(slot: JobSlot, maxBodyBytes: number): Hono<ServerEnv> {
  const bodies = new BodyReader(maxBodyBytes)
  const stop = () => {
    slot.stop()
    return new Response(null, { status: 200 })
  }
  return new Hono<ServerEnv>()
    .post('/jobs', async (c) => submissionResponse(await slot.submit(await bodies.readJson(c))))
    .post('/jobs/terminate', stop)
    .post('/stop', stop)
}

/** @see lib/http/README.md: these texts are fixed */
function submissionResponse(submission: Submission): Response {
  switch (submission.kind) {
    case 'accepted':
      return messageResponse('ok', 200)
    case 'duplicate':
      return messageResponse('job is already running', 200)
    case 'busy':
      return messageResponse('another job is already running', 422)
    case 'refused':
      return messageResponse(submission.reason, 422)
  }
}
