/**
 * The titles of the blocks that the agent writes on its own account: clients look for them, and no
 * other place names them.
 *
 * @see lib/job/README.md: they are fixed
 * @module
 */

/** Steps of every job; who looks at a log is not interested in them as a rule. */
export const STEP_TITLES = {
  prepare: 'Preparing the job',
  credentials: 'Setting up image pull credentials',
  pull: 'Pulling docker images...',
  start: 'Starting the docker image...',
  exportVariables: 'Exporting environment variables',
  injectFiles: 'Injecting Files',
  checkResult: 'Checking job result',
} as const

export const TIME_LIMIT_TITLE = 'Ending the job at its time limit'

/** Of a job whose agent was killed between two blocks. */
export const INTERRUPTED_TITLE = 'Ending the interrupted job'

/** Of a job that `agent start` could not even begin. */
export const FETCH_TITLE = 'Fetching the job'

export const EXIT_TRAP_TITLE = "Running the EXIT trap of the job's shell"

const OWN_TITLES: ReadonlySet<string> = new Set([
  ...Object.values(STEP_TITLES),
  TIME_LIMIT_TITLE,
  EXIT_TRAP_TITLE,
  hookTitle('pre'),
  hookTitle('post'),
])

/** Everybody knows these texts: there is nothing secret in them. */
export function isOwnTitle(title: string): boolean {
  return OWN_TITLES.has(title)
}

export function hookTitle(which: 'post' | 'pre'): string {
  return `Running the ${which}-job hook configured in the agent`
}
