/**
 * Decodes the variables that a request carries in base64. Here, not when the request is checked: bad content is
 * reported in the job's log (see lib/request/README.md).
 *
 * @module
 */

import { ContentError } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import type { OnOutput, Variable } from '../executors/executor.ts'
import { decodeBase64 } from '../request/base64.ts'
import type { EncodedVariable } from '../request/job-request.ts'

/**
 * Sorted by name, each announced before it is decoded; of two with one name the later counts.
 *
 * @throws {ContentError} naming the variable whose value is no base64
 */
export async function decodeVariables(
  encoded: readonly EncodedVariable[],
  onOutput: OnOutput,
): Promise<Variable[]> {
  const last = new Map(encoded.map((variable) => [variable.name, variable.value]))
  const variables: Variable[] = []
  for (const name of [...last.keys()].sort()) {
    await onOutput(`Exporting ${name}\n`)
    variables.push({ name, value: decodeBase64(last.get(name) ?? '', `The value of ${name}`) })
  }
  return variables
}

/** The job's own word of how it went, for its epilogues. */
export function resultVariables(result: JobResult): readonly EncodedVariable[] {
  return [{ name: 'SEMAPHORE_JOB_RESULT', value: Buffer.from(result).toString('base64') }]
}

/** Every set of variables a job can come to export. */
export async function foreseeExports(
  requested: readonly EncodedVariable[],
): Promise<readonly (readonly Variable[])[]> {
  const results = (['passed', 'failed'] as const).map(resultVariables)
  const sets: Variable[][] = []
  for (const encoded of [requested, ...results]) {
    try {
      sets.push(await decodeVariables(encoded, () => undefined))
    } catch (error) {
      if (!(error instanceof ContentError)) throw error // reported in its own block
    }
  }
  return sets
}
