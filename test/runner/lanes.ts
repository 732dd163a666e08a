/**
 * Which end-to-end test files may run beside which, and which of them run on the newer engine, too.
 *
 * @module
 */

import { readFileSync } from 'node:fs'

export interface Lanes {
  /** While one of these runs, nothing else does. */
  readonly alone: readonly string[]
  /** Those of one lane go one after the other, the lanes beside each other. */
  readonly besides: ReadonlyArray<readonly string[]>
}

/** The path of the jump point is fixed: every served job of the other tests writes there. */
const ALONE = /jump-point/

/** As a whole: each would see the other's containers. */
const LOOKS_AT_ENGINE =
  /engineObjects|callEngine|startEngineProxy|helpers\/(container|engine|engine-suite|images|machine|plain-shells)\.ts/

const RUNS_CONTAINERS = /agent-test\/|dockercompose|helpers\/(container-job|in-job)\.ts/

/** They are about something else than an engine, bash and the server among it, or bring one of their own. */
const NOT_ABOUT_ENGINE = new RegExp(
  [
    'bad-input|cache(-backends|-many-files)?\\.test|doctor|engine-(disk|restart)|install|podman',
    'exit-trap|left-behind|own-lines|plain-bash|serve-(large-request|requests)|service(-jobs)?\\.test',
    'session|time-limits|toolbox\\.test|unattended',
  ].join('|'),
)

export function lanesOf(files: readonly string[]): Lanes {
  const together = files.filter((file) => !ALONE.test(file))
  return {
    alone: files.filter((file) => ALONE.test(file)),
    besides: [
      together.filter((file) => mentions(file, LOOKS_AT_ENGINE)),
      together.filter((file) => !mentions(file, LOOKS_AT_ENGINE)),
    ],
  }
}

/** All that run jobs in containers; from the last to the first, so that the same two heavy ones do not meet. */
export function lanesOnNewerEngine(files: readonly string[]): Lanes {
  const suites = files.filter(
    (file) => mentions(file, RUNS_CONTAINERS) && !NOT_ABOUT_ENGINE.test(file),
  )
  return {
    alone: suites.filter((file) => ALONE.test(file)),
    besides: [suites.filter((file) => !ALONE.test(file)).toReversed()],
  }
}

function mentions(file: string, what: RegExp): boolean {
  return what.test(readFileSync(file, 'utf8'))
}
