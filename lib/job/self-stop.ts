/**
 * A job that stops itself says with which result (see lib/job/README.md).
 *
 * @module
 */

import type { Executor } from '../executors/executor.ts'
import { selfChosenResult } from './plan.ts'

// biome-ignore lint/suspicious/noTemplateCurlyInString: the shell is to expand it
export const RESULT_QUERY = '\\builtin printf %s "${SEMAPHORE_JOB_RESULT-}"'

/** Longer than any value {@link selfChosenResult} knows. */
const MAX_RESULT_CHARACTERS = 200

/** @returns `SEMAPHORE_JOB_RESULT` as the job left it */
export async function askForResult(
  executor: Pick<Executor, 'run'>,
  signal: AbortSignal,
): Promise<string> {
  let value = ''
  await executor.run(RESULT_QUERY, {
    signal,
    quiet: true,
    onOutput: (output) => {
      const text = typeof output === 'string' ? output : Buffer.from(output).toString()
      value = (value + text).slice(0, MAX_RESULT_CHARACTERS)
    },
  })
  return value
}

/** @see lib/job/README.md: these texts are fixed */
export function describeSelfStop(value: string): string {
  const result = selfChosenResult(value)
  return result === 'stopped'
    ? `SEMAPHORE_JOB_RESULT is set to '${value}' - stopping job and marking it as stopped`
    : `SEMAPHORE_JOB_RESULT=${value} - stopping job and marking it as ${value}`
}
