/**
 * Explains to the job's author why a directive could not begin.
 *
 * @module
 */

/** Why a directive could not begin. */
export type Refusal = 'not-asked' | 'not-read' | 'not-taken'

const REFUSALS: Readonly<Record<Refusal, string>> = {
  'not-asked': 'The job has damaged its shell: it does not come back for the next directive.',
  'not-read': 'The job has damaged its shell: it could not read the next directive.',
  'not-taken':
    'The next directive could not be handed to the shell: something else reads its terminal.',
}

const REFUSAL_HINT =
  'Look for a program that an earlier directive left behind, a limit it has set (ulimit), or a ' +
  'function that it named like a command of bash (builtin).'

/** @returns lines for the log of the job */
export function describeRefusal(refusal: Refusal): string {
  return `${REFUSALS[refusal]}\n${REFUSAL_HINT}\n`
}
