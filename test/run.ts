/**
 * Runs the tests: `npm test [-- --only unit|e2e] [--newer-engine] [PATTERN…]`. Without arguments:
 * linter, type check, unit tests, build, test environment, end-to-end tests on `dist/agent`, those
 * with containers on the newer engine as well. With patterns: the test files whose path contains one
 * of them, and what these need; with `--newer-engine` on that engine only. Always closes with a line
 * `N passed, N failed`; the exit code is 1 when anything failed or nothing ran.
 *
 * The variable AGENT_TEST_ENGINE names the socket of another engine to run the jobs on, which has to
 * be in this network: what tests start on loopback is on its loopback, too.
 *
 * The variable AGENT_TEST_JOBS is how many jobs in a row an agent has to bear: 10000 take ten minutes.
 *
 * @module
 */

import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { LONG_RUN_JOBS, LONG_RUN_LIMIT_MS } from './helpers/long-run.ts'
import { restoreProtections } from './helpers/protections.ts'
import {
  BUILD,
  type Check,
  ENVIRONMENT,
  LINT,
  NEWER_ENGINE,
  NEWER_ENGINE_END,
  runCheck,
  TYPES,
} from './runner/checks.ts'
import { type Lanes, lanesOf, lanesOnNewerEngine } from './runner/lanes.ts'
import { failuresOf, printResult, printTotals } from './runner/report.ts'
import { type FileOptions, type FileResult, runFile } from './runner/run-file.ts'
import { NEWER_ENGINE_SOCKET, newerEngineNetwork } from './setup/newer-engine-place.ts'

type Part = 'unit' | 'e2e'

type Engine = 'newer' | 'own'

interface RunMode extends Pick<FileOptions, 'environment' | 'limitMs' | 'network'> {
  /** Said of the files, where it is not what they always run on. */
  readonly on?: string
}

/** Some wait for time limits of their own: a minute on a machine with much else to do. */
const UNIT: RunMode = { limitMs: 180_000 }

/** Fifty jobs in a row, an image to make, a stop of every kind in five places: minutes on a slow machine. */
const E2E: RunMode = { limitMs: isLongRun() ? LONG_RUN_LIMIT_MS : 600_000 }

const results: FileResult[] = []
const stop = new AbortController()

function isLongRun(): boolean {
  return LONG_RUN_JOBS > 0 || process.env['SEQUENCES'] !== undefined
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { only: { type: 'string' }, 'newer-engine': { type: 'boolean' } },
    allowPositionals: true,
  })
  const files = globSync('test/**/*.test.ts').sort().filter(matches(positionals))
  const onNewerEngine = values['newer-engine'] === true
  const whole = values.only === undefined && positionals.length === 0 && !onNewerEngine
  const wants = (part: Part) => values.only === undefined || values.only === part
  const ofPart = (part: Part) => files.filter((file) => partOf(file) === part && wants(part))

  if (whole) await Promise.all([check(LINT), check(TYPES)])
  if (!onNewerEngine) {
    const units = ofPart('unit')
    const workers = Array.from({ length: availableParallelism() }, () => runQueues([units], UNIT))
    await Promise.all(workers)
  }
  const engines = new Set<Engine>()
  if (!onNewerEngine) engines.add('own')
  if (onNewerEngine || positionals.length === 0) engines.add('newer')
  await runEndToEnd(ofPart('e2e'), engines)
}

async function runEndToEnd(files: readonly string[], engines: ReadonlySet<Engine>): Promise<void> {
  if (files.length === 0) return
  const ready = (await check(BUILD)) && (await check(ENVIRONMENT))
  if (!ready) {
    for (const file of files) {
      const problems = ['did not run: what it needs is missing, see above']
      record({ file, passed: 0, failed: 0, problems, output: '', durationMs: 0 })
    }
    return
  }
  const runs: Array<readonly [Lanes, RunMode]> = []
  if (engines.has('own')) runs.push([lanesOf(files), E2E])
  try {
    if (engines.has('newer') && (await check(NEWER_ENGINE))) {
      runs.push([lanesOnNewerEngine(files), await newerEngineMode()])
    }
    await Promise.all(
      runs.flatMap(([{ besides, rest }, mode]) => {
        const shared = [...rest]
        return besides.map((lane) => runQueues([[...lane], shared], mode))
      }),
    )
  } finally {
    restoreProtections()
    if (engines.has('newer')) await check(NEWER_ENGINE_END)
  }
}

/** In that engine's network: what the tests start on loopback is on the engine's loopback, too. */
async function newerEngineMode(): Promise<RunMode> {
  const environment = { AGENT_TEST_ENGINE: NEWER_ENGINE_SOCKET }
  const network = await newerEngineNetwork()
  return { ...E2E, environment, network, on: 'the newer engine' }
}

/** One file after the other, of a queue when those before it are empty; others may take of it, too. */
async function runQueues(queues: readonly string[][], { on, ...options }: RunMode): Promise<void> {
  const next = () => queues.find((queue) => queue.length > 0)?.shift()
  for (let file = next(); file !== undefined; file = next()) {
    stop.signal.throwIfAborted()
    const result = await runFile(file, { ...options, signal: stop.signal })
    record(on === undefined ? result : { ...result, file: `${file}, on ${on}` })
  }
}

async function check(what: Check): Promise<boolean> {
  const result = await runCheck(what)
  record(result)
  return failuresOf(result) === 0
}

function record(result: FileResult): void {
  results.push(result)
  printResult(result)
}

function partOf(file: string): Part {
  return file.startsWith('test/e2e/') ? 'e2e' : 'unit'
}

function matches(patterns: readonly string[]): (file: string) => boolean {
  return (file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern))
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)))
}

try {
  await main()
} catch (error) {
  const problems = [`stopped: ${error instanceof Error ? error.message : error}`]
  record({ file: 'test/run.ts', passed: 0, failed: 0, problems, output: '', durationMs: 0 })
}
process.exitCode = printTotals(results) ? 0 : 1
