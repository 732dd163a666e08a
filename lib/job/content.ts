/**
 * Decodes the variables that a request contains in base64. Not done when the request is checked, since
 * invalid content is reported in the job's log (see lib/request/README.md).
 *
 * @module
 */

import { ContentError } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import type { OnOutput, Variable } from '../executors/executor.ts'
import { decodeBase64 } from '../request/base64.ts'
import type { EncodedVariable } from '../request/job-request.ts'

/**
 * Sorted by name, each announced before it is decoded; of two with the same name the later one counts.
 *
 * @throws {ContentError} naming the variable whose value is not base64
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

/** The result so far, for the epilogues. */
export function resultVariables(result: JobResult): readonly EncodedVariable[] {
  return [{ name: 'SEMAPHORE_JOB_RESULT', value: Buffer.from(result).toString('base64') }]
}

/** Every set of variables that a job may export. */
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
