/**
 * What an agent tells about itself and its machine when it registers.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { parseEnv } from 'node:util'
import { readSmallFile } from '../files/read-bounded.ts'
import { VERSION } from '../version.ts'
import type { Registration } from './control-plane.ts'
import { baseUrlOf, type HubSettings } from './hub-context.ts'

const OS_RELEASE = '/etc/os-release'

const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'x86_64' }

export function registrationOf(name: string, settings: HubSettings): Registration {
  return {
    name,
    version: `v${VERSION}`,
    pid: process.pid,
    os: systemName(),
    arch: ARCHITECTURES[process.arch] ?? process.arch,
    hostname: hostname(),
    single_job: settings.disconnectAfterJob,
    idle_timeout: toSeconds(settings.disconnectAfterIdleTimeout),
    interruption_grace_period: toSeconds(settings.interruptionGracePeriod),
    job_id: settings.jobId ?? '',
  }
}

/** Covers all that a registration depends on; the token cannot be derived from it. */
export function fingerprintOf(settings: HubSettings): string {
  const { token, name, disconnectAfterJob, jobId } = settings
  const { disconnectAfterIdleTimeout: idle, interruptionGracePeriod: grace } = settings
  const parts = [baseUrlOf(settings), token, name, disconnectAfterJob, jobId, idle, grace]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

/** Rounds up: a time above zero must not become "no limit". */
function toSeconds(ms: number): number {
  return Math.ceil(ms / 1_000)
}

function systemName(): string {
  try {
    return parseEnv(readSmallFile(OS_RELEASE))['PRETTY_NAME'] || 'Linux'
  } catch {
    return 'Linux' // a bare container has no such file
  }
}
