/**
 * Names that are the agent's own in a job's shell and among its processes.
 *
 * @module
 */

import { ContentError } from '../errors.ts'

/** Also as functions, which bash exports under a name of their own. */
const RESERVED = /^(BASH_FUNC_)?__agent|^AGENT_JOB_COOKIE$/

/** @throws {ContentError} for a variable that would take the place of one of the agent's */
export function refuseReservedName(name: string): void {
  if (!RESERVED.test(name)) return
  throw new ContentError(`${name} is a name that the agent uses itself`, {
    hint: 'Choose another: names that begin with __agent and AGENT_JOB_COOKIE are taken.',
  })
}
