/** `POST /register`: who may, and with which words others are turned away. */

import type { Agents, Registration } from './agents.ts'
import type { Jobs } from './jobs.ts'
import type { Answer, Violations } from './record.ts'

const STRINGS = ['name', 'version', 'os', 'arch', 'hostname', 'job_id'] as const
const NUMBERS = ['pid', 'idle_timeout', 'interruption_grace_period'] as const
const MIN_VERSION = [2, 2, 13]

export interface RegistrationDesk {
  readonly agents: Agents
  readonly jobs: Jobs
  readonly violations: Violations
  readonly registrationToken: string
  /** Agents of the organization at the most. */
  quota: number
}

export function register(
  desk: RegistrationDesk,
  authorization: string | undefined,
  text: string,
): Answer {
  const { agents, jobs, violations, registrationToken, quota } = desk
  if (authorization !== `Token ${registrationToken}`) return { status: 401, text: 'Unauthorized' }
  const registration = parse(text, violations)
  if (registration === undefined) return { status: 422, text: 'invalid body' }
  const { name, job_id: jobId, single_job: isSingle } = registration
  const isUrl = /^https?:/.test(name)
  if (!isUrl && !/^[a-zA-Z0-9\-_/+]{8,80}$/.test(name)) return refuse('name is invalid')
  if (jobId !== '' && !isSingle) {
    return refuse('job can only be requested if agent disconnects after running it')
  }
  if (jobId !== '' && jobs.next(jobId) === undefined) return refuse('job not available')
  if (agents.byName.has(name)) return refuse("agent can't be registered")
  if (agents.byName.size >= quota) {
    return { status: 422, text: 'agent quota for organization has been reached' }
  }
  const agent = agents.register(isUrl ? `sts-${agents.all.length}` : name, registration)
  return { status: 201, json: { name: agent.name, token: agent.token } }
}

function refuse(text: string): Answer {
  return { status: 400, text }
}

function parse(text: string, violations: Violations): Registration | undefined {
  let body: Record<string, unknown>
  try {
    body = JSON.parse(text) as Record<string, unknown>
  } catch {
    violations.add('A registration is not JSON')
    return undefined
  }
  const wrong = [
    ...STRINGS.filter((key) => typeof body[key] !== 'string'),
    ...NUMBERS.filter((key) => !Number.isInteger(body[key])),
    ...(typeof body['single_job'] === 'boolean' ? [] : ['single_job']),
  ]
  if (wrong.length > 0) violations.add(`A registration has no or a wrong ${wrong.join(', ')}`)
  if (!isRecent(String(body['version']))) {
    violations.add(`The version ${String(body['version'])} is outdated`)
  }
  return body as unknown as Registration
}

function isRecent(version: string): boolean {
  const found = /^v(\d+)\.(\d+)\.(\d+)$/.exec(version)?.slice(1).map(Number)
  if (found === undefined) return false
  for (const [index, least] of MIN_VERSION.entries()) {
    const own = found[index] ?? 0
    if (own !== least) return own > least
  }
  return true
}
