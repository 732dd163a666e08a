/**
 * Bodies of answers: one message each, and errors turned into such.
 *
 * @module
 */

import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { AgentError, describeProblem, explain, RequestError } from '../errors.ts'
import type { Logger } from '../log.ts'

/** The space after the colon is stable, see lib/http/README.md: some clients compare bytes. */
export function messageResponse(
  message: string,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return jsonResponse(`{"message": ${JSON.stringify(message)}}`, status, headers)
}

/** For a path that exists and takes other methods: those in `allow`, as HTTP lists them. */
export function methodResponse(c: Context, allow: string): Response {
  return messageResponse(`${c.req.path} only accepts ${allow}`, 405, { allow })
}

function jsonResponse(
  body: string,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body, {
    status,
    headers: { ...headers, 'content-type': 'application/json' },
  })
}

/** Says what is wrong, never how the agent looks inside. */
export function errorResponse(error: unknown, log: Logger): Response {
  if (error instanceof HTTPException) return messageResponse(error.message, error.status)
  if (error instanceof RequestError) return malformed(error)
  log.error(`A request failed: ${explain(error)}`)
  if (error instanceof AgentError) {
    const message = JSON.stringify(`${error.message}. ${error.hint}`)
    return jsonResponse(`{"message": ${message}, "code": "${error.code}"}`, 500)
  }
  if (error instanceof Error && error.stack !== undefined) log.debug(error.stack)
  return messageResponse('The agent failed to answer this request; see its own log.', 500)
}

function malformed({ code, problems }: RequestError): Response {
  const errors = problems.map(describeProblem)
  const [first = 'no reason given'] = errors
  const message =
    errors.length > 1
      ? `The job request is malformed: ${errors.length} errors, the first: ${first}`
      : `The job request is malformed: ${first}`
  const body = `{"message": ${JSON.stringify(message)}, "errors": ${JSON.stringify(errors)}, "code": "${code}"}`
  return jsonResponse(body, 422)
}
