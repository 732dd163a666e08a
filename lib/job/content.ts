/**
 * Decodes what a request carries in base64. Here, not when the request is checked: bad content is
 * told in the job's log (contract, section 2).
 *
 * @module
 */

import type { InjectedFile, OnOutput, Variable } from '../executors/executor.ts'
import { decodeBase64 } from '../request/base64.ts'
import type { EncodedFile, EncodedVariable } from '../request/job-request.ts'

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

/** @throws {ContentError} naming the file whose content is no base64 */
export function decodeFiles(encoded: readonly EncodedFile[]): InjectedFile[] {
  return encoded.map(({ path, content, mode }) => ({
    path,
    content: decodeBase64(content, `The content of ${path}`),
    mode,
  }))
}
