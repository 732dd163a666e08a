/**
 * Names that no variable of a job may have.
 *
 * @module
 */

import { ContentError } from '../errors.ts'

/** Identifies the job's processes: see lib/host/processes.ts. */
const RESERVED = 'AGENT_JOB_COOKIE'

/** @throws {ContentError} for a variable that would replace the agent's own */
export function refuseReservedName(name: string): void {
  if (name !== RESERVED) return
  throw new ContentError(`${name} is a name that the agent uses itself`, {
    hint: 'Choose another name for this variable.',
  })
}
