/** Requests and answers of a control plane as HTTP has them. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fault } from './faults.ts'
import { countLines } from './log-store.ts'
import type { Answer, RecordedRequest, RequestKind } from './record.ts'

const BASE = '/api/v1/self_hosted_agents'

const ROUTES: readonly (readonly [method: string, path: RegExp, kind: RequestKind])[] = [
  ['POST', new RegExp(`^${BASE}/register$`), 'register'],
  ['POST', new RegExp(`^${BASE}/sync$`), 'sync'],
  ['POST', new RegExp(`^${BASE}/refresh$`), 'refresh'],
  ['POST', new RegExp(`^${BASE}/disconnect$`), 'disconnect'],
  ['GET', new RegExp(`^${BASE}/jobs/[^/]+$`), 'job'],
  ['GET', new RegExp(`^${BASE}/metrics$`), 'metrics'],
  ['POST', /^\/api\/v1\/logs\/[^/]+$/, 'log'],
  ['POST', /^\/api\/v1\/artifacts$/, 'artifacts'],
  ['PUT', /^\/upload\/[^/]+$/, 'upload'],
  ['POST', /^\/callbacks\//, 'callback'],
]

export function kindOf(ofMethod: string, ofPath: string): RequestKind {
  const route = ROUTES.find(([method, path]) => method === ofMethod && path.test(ofPath))
  return route?.[2] ?? 'unknown'
}

/** @returns nothing for one that is cut off */
export async function readBody(
  request: IncomingMessage,
  record: RecordedRequest,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (record.fault === 'cut') return undefined
    chunks.push(chunk)
  }
  if (record.fault === 'cut') return undefined
  const bytes = Buffer.concat(chunks)
  record.bytes = bytes.length
  if (record.kind === 'log') record.lines = countLines(bytes)
  else if (record.kind !== 'upload') record.text = bytes.toString()
  return bytes
}

export function bogusAnswer(fault: Fault | undefined): Answer | undefined {
  if (typeof fault !== 'object') return undefined
  const { status = 200, body: text = '' } = fault
  return fault.status === undefined && fault.body === undefined ? undefined : { status, text }
}

export function send(
  response: ServerResponse,
  { status, json, text = '' }: Answer,
  record: RecordedRequest,
): void {
  const body = json === undefined ? text : JSON.stringify(json)
  record.status = status
  record.answer = body.slice(0, 1_000)
  const type = json === undefined ? {} : { 'content-type': 'application/json' }
  response.writeHead(status, { ...type, 'content-length': Buffer.byteLength(body) }).end(body)
}
