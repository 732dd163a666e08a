/**
 * A job's shell against plain bash, by sequences of directives made up at random: they have to print the
 * same and to end the same. `SEQUENCES=5000` tries more of them, `FIRST_SEQUENCE=17` others.
 */

import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { containerJob } from '../helpers/container-job.ts'
import { blocksOf } from '../helpers/events.ts'
import { PLACES } from '../helpers/in-job.ts'
import { AT_EXIT, type Told } from '../helpers/plain-bash.ts'
import {
  type PlainShells,
  plainShellsInContainer,
  plainShellsOnHost,
} from '../helpers/plain-shells.ts'
import { createSequence, type Sequence } from '../helpers/sequences.ts'
import { eventsIn, followLog, type ServedAgent, serveAgent } from '../helpers/served-agent.ts'

const COUNT = Number(process.env['SEQUENCES'] ?? 200)
const FIRST = Number(process.env['FIRST_SEQUENCE'] ?? 1)

/** For this many on the host one is tried in each container: those are jobs of a second. */
const CONTAINER_SHARE = 30

/** Agents beside each other; a job and its counterpart mostly wait. */
const LANES = 3

/** Of one sequence, and of all of them at most. */
const LIMIT_SECONDS = 30
const TOTAL_LIMIT_MS = 60_000 + COUNT * 1_000

const AT_EXIT_BLOCK = "Running the EXIT trap of the job's shell"
const TIME_LIMIT_BLOCK = 'Ending the job at its time limit'

const test = suite('shell: like plain bash')

/** @returns what came of each text that the job ran, in their order */
async function runJob(
  served: ServedAgent,
  id: string,
  { commands, epilogues }: Sequence,
  image?: string,
): Promise<Told[]> {
  const toDirective = (directive: string) => ({ directive })
  const rest = {
    job_id: id,
    commands: commands.map(toDirective),
    epilogue_always_commands: epilogues.map(toDirective),
    timeout_in_seconds: LIMIT_SECONDS,
  }
  const job = image === undefined ? rest : containerJob({ image }, [], rest)
  const { status, text } = await served.ask('POST', '/jobs', { body: JSON.stringify(job) })
  assert.is(status, 200, text)
  const blocks = blocksOf(eventsIn(await followLog(served, id)))
  const late = blocks.find(({ directive }) => directive === TIME_LIMIT_BLOCK)
  if (late !== undefined)
    throw new Error(`\n=== ${id} does not end:\n${JSON.stringify(blocks).slice(-3_000)}`)
  const told = blocks
    .filter(({ directive }) => commands.includes(directive) || epilogues.includes(directive))
    .map(({ directive, output, exitCode }) => ({ text: directive, output, status: exitCode }))
  const output = blocks.find(({ directive }) => directive === AT_EXIT_BLOCK)?.output ?? ''
  return [...told, { text: AT_EXIT, output }]
}

/**
 * As text that two of them can be compared by:
 * - The file of a text has another path.
 * - The commands of a pipeline, and those in the background, are traced in any order.
 * - The log has no carriage return before a line feed.
 * - A trap for DEBUG sees a handler for RETURN in the line that has sourced the text.
 * - `set -v` shows a handler for DEBUG whenever it runs, and it runs for plain bash's own lines as well.
 * - The end of a job's shell is told of by no trap for DEBUG, and by no trace.
 * - An error in the value of an integer variable discards all that bash has read, here the rest of both
 *   shells' scripts: a job's shell says so when it ends.
 */
function show({ text, output, status }: Told, home: string): string {
  const said = (text === AT_EXIT ? output.replaceAll(/^(\++ |D<).*\n/gm, '') : output)
    .replaceAll('\r\n', '\n')
    .replaceAll(/^(echo "D<\$BASH_COMMAND>"|.*99999999.*the job has damaged its shell.*)\n/gm, '')
    .replaceAll(/D<\\builtin \. ("\$\(\\builtin [\s\S]*?'\)"|'[^\s']*\/directive')>\n/g, '')
    .replaceAll(home, 'HOME')
    .replaceAll(/\/[^\s:]*\/(text-\d+|directive|[0-9a-f]{16})(?=: line)/g, 'FILE')
    .replaceAll(
      /(^(\++ |D<).*\n)+/gm,
      (trace) => `${trace.trimEnd().split('\n').sort().join('\n')}\n`,
    )
  return `${status}\n${said}`
}

interface Place {
  readonly served: ServedAgent
  readonly shells: PlainShells
  readonly home: string
  readonly image?: string
}

/** @returns how they differ; undefined when they do not */
async function compare(place: Place, seed: number): Promise<string | undefined> {
  const { served, shells, home, image } = place
  if (image === undefined) await empty(home)
  const own = await runJob(served, `sequence-${seed}`, createSequence(seed), image)
  // The job has found out which of them are run: up to the first that fails, then the epilogues.
  const plain = await shells.run(own.slice(0, -1).map(({ text }) => text))
  // Where a shell has ended, the job goes on in another one.
  for (const [index, told] of plain.entries()) {
    const [expected, actual] = [told, own[index]].map((one) => one && show(one, home))
    if (expected === actual) continue
    const before = plain.slice(0, index).map(({ text }) => `${text}\n---\n`)
    return `\n=== sequence ${seed}\n${before.join('')}${told.text}\n>>> plain: ${expected}\n>>> job: ${actual}`
  }
  return undefined
}

async function empty(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    if (!name.startsWith('.')) await rm(join(home, name), { recursive: true })
  }
}

/** @param seeds shared by the lanes */
async function compareAll(place: Place, seeds: Iterator<number>): Promise<string[]> {
  const differences: string[] = []
  for (let seed = seeds.next(); !seed.done; seed = seeds.next()) {
    const difference = await compare(place, seed.value).catch((error: Error) => error.message)
    if (difference !== undefined) differences.push(difference)
  }
  return differences
}

function numbers(count: number): Iterator<number> {
  return Array.from({ length: count }, (_, index) => FIRST + index).values()
}

if (PLACES.includes('host')) {
  test(`${COUNT} sequences on the host print the same and end the same`, async () => {
    const seeds = numbers(COUNT)
    const lanes = Array.from({ length: LANES }, async () => {
      const served = await serve()
      const home = join(served.directory, 'home')
      const place = { served, shells: plainShellsOnHost(home), home }
      return await compareAll(place, seeds).finally(served.stop)
    })
    assert.is((await Promise.all(lanes)).flat().join(''), '')
  })
}

for (const image of ['agent-test/debian', 'agent-test/old-bash']) {
  const count = Math.ceil(COUNT / CONTAINER_SHARE)
  test(`${count} of them do in ${image}`, async () => {
    const served = await serve()
    const shells = await plainShellsInContainer(image)
    try {
      const place = { served, shells, home: '/root', image }
      assert.is((await compareAll(place, numbers(count))).join(''), '')
    } finally {
      await shells.close()
      await served.stop()
    }
  })
}

async function serve(): Promise<ServedAgent> {
  return await serveAgent([], {
    environment: { PATH: '/usr/bin:/bin', TERM: 'xterm' },
    limitMs: TOTAL_LIMIT_MS,
  })
}

test.run()
