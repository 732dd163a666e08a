/**
 * What every job needs of the machine: memory, disk, a clock that is right.
 *
 * @module
 */

import { execFile } from 'node:child_process'
import { mkdtemp, rmdir } from 'node:fs/promises'
import { arch, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Check, ok, problem, type Verdict, warning } from '../checks/check.ts'
import { examineSpace, formatBytes } from '../checks/space.ts'
import { findProgram } from '../terminal/script.ts'
import { currentUser } from '../user.ts'
import { VERSION } from '../version.ts'

export interface MachineOptions {
  readonly temporaryDirectory: string
  /** As in the environment variable. */
  readonly path: string
}

/** The agent itself takes about 70 MiB. */
const LOW_MEMORY_BYTES = 256 * 1024 ** 2

/** No copy of this agent is older: a clock that shows less is wrong. */
const AGENT_YEAR = 2026

export function machineChecks({ temporaryDirectory, path }: MachineOptions): Check[] {
  const area = 'machine'
  return [
    { area, subject: 'agent', examine: async () => ok(describeAgent()) },
    { area, subject: 'memory', examine: async () => examineMemory() },
    { area, subject: 'disk', examine: () => examineTemporary(temporaryDirectory) },
    { area, subject: 'clock', examine: (signal) => examineClock(path, signal) },
  ]
}

function describeAgent(): string {
  return `version ${VERSION}, on Linux ${release()} (${arch()}), as user ${currentUser().name}`
}

/** Within the limit of the agent's own control group, if it has one. */
function examineMemory(): Verdict {
  const available = process.availableMemory()
  const limit = process.constrainedMemory()
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  const message = `${formatBytes(available)} available of ${formatBytes(total)}`
  if (available >= LOW_MEMORY_BYTES) return ok(message)
  return warning(message, 'Free some memory or add some: the kernel may have to kill jobs.')
}

async function examineTemporary(directory: string): Promise<Verdict> {
  try {
    await rmdir(await mkdtemp(join(directory, 'agent-doctor-')))
  } catch (error) {
    return problem(
      `no file can be created in ${directory}: ${(error as Error).message}`,
      'Make it writable for the agent, or set TMPDIR to another directory.',
    )
  }
  return await examineSpace(directory, 'jobs and their temporary files need it')
}

/** Tokens and certificates are judged by it, and log lines are dated by it. */
async function examineClock(path: string, signal: AbortSignal): Promise<Verdict> {
  const now = new Date()
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z')
  const remedy = 'Set it and keep it synchronized: timedatectl set-ntp true, or install chrony.'
  if (now.getUTCFullYear() < AGENT_YEAR) {
    return problem(`it shows ${time}, which is in the past`, remedy)
  }
  switch (await askSystemd(path, signal)) {
    case 'yes':
      return ok(`${time}, synchronised`)
    case 'no':
      return warning(`${time}, not synchronized with a time server`, remedy)
    default:
      return ok(`${time}; this machine does not tell whether it is synchronized`)
  }
}

/** @returns undefined where there is no systemd to ask */
async function askSystemd(path: string, signal: AbortSignal): Promise<string | undefined> {
  const program = findProgram('timedatectl', path)
  if (program === undefined) return undefined
  const args = ['show', '--property=NTPSynchronized', '--value']
  const answer = await promisify(execFile)(program, args, { signal }).catch(() => undefined)
  return answer?.stdout.trim()
}
