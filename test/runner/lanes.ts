/**
 * Which end-to-end test files may run beside which, and which of them run on the newer engine, too.
 *
 * @module
 */

import { readFileSync } from 'node:fs'

export interface Lanes {
  /** Those of one lane go one after the other, the lanes beside each other. */
  readonly besides: ReadonlyArray<readonly string[]>
  /** Whichever lane is at its end takes the next of these. */
  readonly rest: readonly string[]
}

/** On it they know their own things by their labels. */
const ON_ENGINE =
  /engineObjects|callEngine|startEngineProxy|helpers\/(beside-suite|container|engine|engine-suite|images|machine|plain-shells)\.ts/

/** They look at nothing but their own jobs, directories and servers. */
const TO_THEMSELVES = /cache-backends|session|shell-job|sftp-store/

/** By how long they take, from a minute and a half to half a minute: the last to end are short ones. */
const LONG = [
  ...['stop', 'session', 'time-limits', 'cache-backends', 'session-damage', 'container-options'],
  ...['cache-fidelity', 'toolbox', 'many-container-jobs', 'services', 'install', 'injected-files'],
  ...['plain-bash', 'sftp-store', 'exit-trap', 'service', 'shell-job', 'service-jobs'],
].map((name) => `test/e2e/${name}.test.ts`)

const RUNS_CONTAINERS = /agent-test\/|dockercompose|helpers\/(container-job|in-job)\.ts/

/** They are about something else than an engine, bash and the server among it, or bring one of their own. */
const NOT_ABOUT_ENGINE = new RegExp(
  [
    'bad-input|cache(-backends|-fidelity|-many-files)?\\.test|daemons|doctor|engine-(disk|restart)',
    'exit-trap|injected-files|install|jump-point|left-behind|many-container-jobs|own-lines|plain-bash',
    'podman|serve-(large-request|requests)|service(-jobs)?\\.test|session|time-limits|toolbox\\.test',
    'unattended',
  ].join('|'),
)

export function lanesOf(files: readonly string[]): Lanes {
  const isAnywhere = (file: string) => TO_THEMSELVES.test(file) || mentions(file, ON_ENGINE)
  const onHost = files.filter((file) => !isAnywhere(file))
  return { besides: [onHost, [], []], rest: longestFirst(files.filter(isAnywhere)) }
}

/** All that run jobs in containers; from the last to the first, so that the same two heavy ones do not meet. */
export function lanesOnNewerEngine(files: readonly string[]): Lanes {
  const suites = files.filter(
    (file) => mentions(file, RUNS_CONTAINERS) && !NOT_ABOUT_ENGINE.test(file),
  )
  return { besides: [suites.toReversed()], rest: [] }
}

function longestFirst(files: readonly string[]): string[] {
  const rank = (file: string) => (LONG.includes(file) ? LONG.indexOf(file) : LONG.length)
  return files.toSorted((a, b) => rank(a) - rank(b))
}

function mentions(file: string, what: RegExp): boolean {
  return what.test(readFileSync(file, 'utf8'))
}
