/**
 * Takes jobs and stops them.
 *
 * @module
 */

import { Hono } from 'hono'
import type { JobLog } from '../events/job-log.ts'
import type { JobSlot, Submission } from '../job/slot.ts'
import { BodyReader } from './body.ts'
import { messageResponse, methodResponse } from './responses.ts'
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
    .all('/jobs/terminate', (c) => methodResponse(c, 'POST')) // no id of a job
    .get('/jobs/:id', async (c) => {
      const id = c.req.param('id')
      const jobLog = await slot.log(id)
      if (jobLog === undefined) return messageResponse(`job ${id} is not running`, 404)
      return c.json(describeJob(id, jobLog))
    })
    .post('/stop', stop)
}

/** As its log tells it. What is not known yet is null. */
function describeJob(id: string, { lineCount, size, steps }: JobLog) {
  return {
    id,
    state: steps.result === undefined ? 'running' : 'finished',
    result: steps.result ?? null,
    lines: lineCount,
    bytes: size,
    steps: steps.all.map(({ directive, exitCode, startedAt, finishedAt, durationMs }) => ({
      directive,
      exit_code: exitCode ?? null,
      started_at: startedAt,
      finished_at: finishedAt ?? null,
      duration_ms: durationMs ?? null,
    })),
  }
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
