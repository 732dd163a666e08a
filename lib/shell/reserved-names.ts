/**
 * What no variable of a job may be called.
 *
 * @module
 */

import { ContentError } from '../errors.ts'

/** By it the job's processes are found: see lib/host/processes.ts. */
const RESERVED = 'AGENT_JOB_COOKIE'

/** @throws {ContentError} for a variable that would take the place of the agent's */
export function refuseReservedName(name: string): void {
  if (name !== RESERVED) return
  throw new ContentError(`${name} is a name that the agent uses itself`, {
    hint: 'Choose another name for this variable.',
  })
}
