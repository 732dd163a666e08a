/** Tables of directives and of what the log must say of each, run in every place a job can run. */

import * as assert from 'uvu/assert'
import { besideSuite } from './beside-suite.ts'
import { blocksOf } from './events.ts'
import { inJob, PLACES, type Place } from './in-job.ts'

/** Directives in order, and what the log of each must say: output, and exit code where it is not 0. */
export interface Trick {
  readonly name: string
  readonly steps: ReadonlyArray<
    readonly [directive: string, output: RegExp | string, exitCode?: number]
  >
  readonly result?: 'failed' | 'passed' | 'stopped'
  /** Needs more than bash in the image. */
  readonly needs?: 'coreutils' | 'stty'
}

interface World {
  readonly name: string
  readonly place: Place
  readonly image?: string
  readonly lacks?: readonly string[]
}

const WORLDS: readonly World[] = [
  { name: 'shell', place: 'host' },
  { name: 'container', place: 'container' },
  {
    name: 'container with nothing but bash',
    place: 'container',
    image: 'agent-test/bare',
    lacks: ['coreutils', 'stty'],
  },
  { name: 'container with an old bash', place: 'container', image: 'agent-test/old-bash' },
]

/** The agent's own blocks show nothing of how it does that. */
const EXPORTS_ONLY = /^(?:Exporting \w+\n)*$/

/** @param title of the suites: one for each place */
export function testTricks(title: string, tricks: readonly Trick[]): void {
  for (const world of WORLDS.filter(({ place }) => PLACES.includes(place))) {
    const test = besideSuite(`${title}: ${world.name}`)
    for (const trick of tricks) {
      if (trick.needs !== undefined && world.lacks?.includes(trick.needs)) continue
      test(trick.name, () => runTrick(trick, world))
    }
    test.run()
  }
}

async function runTrick({ steps, result = 'passed' }: Trick, world: World): Promise<void> {
  const directives = steps.map(([directive]) => directive)

  const { blocks, job } = await inJob(world.place, directives, world)

  for (const [directive, output, exitCode = 0] of steps) {
    const block = blocks.find((candidate) => candidate.directive === directive)
    assert.ok(block, `no block for: ${directive}`)
    if (typeof output === 'string') assert.is(block.output, output)
    else assert.match(block.output, output)
    assert.is(block.exitCode, exitCode)
  }
  assert.is(job.result, result)
  for (const { directive, output } of blocksOf(job.events)) {
    if (directive === 'Exporting environment variables') assert.match(output, EXPORTS_ONLY)
  }
}
