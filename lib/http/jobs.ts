/**
 * Takes jobs and stops them.
 *
 * @module
 */

import { Hono } from 'hono'
import type { JobSlot, Submission } from '../job/slot.ts'
import { messageAnswer } from './answers.ts'
import { BodyReader } from './body.ts'
import type { ServerEnv } from './stream-answer.ts'

export function jobRoutes(slot: JobSlot, maxBodyBytes: number): Hono<ServerEnv> {
  const bodies = new BodyReader(maxBodyBytes)
  const stop = () => {
    slot.stop()
    return new Response(null, { status: 200 })
  }
  return new Hono<ServerEnv>()
    .post('/jobs', async (c) => submissionAnswer(await slot.submit(await bodies.readJson(c))))
    .post('/jobs/terminate', stop)
    .post('/stop', stop)
}

/** @see lib/http/README.md: these texts are fixed */
function submissionAnswer(submission: Submission): Response {
  switch (submission.kind) {
    case 'accepted':
      return messageAnswer('ok', 200)
    case 'duplicate':
      return messageAnswer('job is already running', 200)
    case 'busy':
      return messageAnswer('another job is already running', 422)
    case 'refused':
      return messageAnswer(submission.reason, 422)
  }
}
