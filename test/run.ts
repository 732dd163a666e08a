/**
 * Runs the tests: `npm test [-- --only unit|e2e] [PATTERN…]`. Without arguments: linter, type check,
 * unit tests, build, test environment, end-to-end tests on `dist/agent`. With patterns: the test
 * files whose path contains one of them, and what these need. Always closes with a line
 * `N passed, N failed`; the exit code is 1 when anything failed or nothing ran.
 *
 * The variable AGENT_TEST_ENGINE names the socket of another engine to run the jobs on.
 *
 * @module
 */

import { globSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
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
import { failuresOf, printResult, printTotals } from './runner/report.ts'
import { type FileOptions, type FileResult, runFile } from './runner/run-file.ts'
import { NEWER_ENGINE_SOCKET } from './setup/newer-engine-socket.ts'

type Part = 'unit' | 'e2e'

interface RunMode extends Pick<FileOptions, 'environment' | 'limitMs'> {
  readonly atOnce: number
  /** Said of the files, where it is not what they always run on. */
  readonly on?: string
}

const UNIT: RunMode = { limitMs: 60_000, atOnce: availableParallelism() }

/** Fifty jobs in a row, an image to make: minutes on a slow machine. */
const E2E: RunMode = { limitMs: 300_000, atOnce: 1 }

/** Run a second time on a newer engine: all about containers that asks nothing of this host's own network. */
const ENGINE_SUITES: readonly string[] = [
  'attach',
  'container-files',
  'container-job',
  'container-options',
  'container-pull',
  'engine-faults',
  'services',
].map((name) => `test/e2e/${name}.test.ts`)

/** The path of the jump point is the contract's: every served job of the other tests writes there. */
const ALONE: readonly string[] = ['test/e2e/jump-point.test.ts']

const LOOKS_AT_ENGINE =
  /engineObjects|callEngine|startEngineProxy|helpers\/(container|engine|images|machine)\.ts/

const results: FileResult[] = []
const stop = new AbortController()

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { only: { type: 'string' } },
    allowPositionals: true,
  })
  const files = globSync('test/**/*.test.ts').sort().filter(matches(positionals))
  const whole = values.only === undefined && positionals.length === 0
  const wants = (part: Part) => values.only === undefined || values.only === part
  const ofPart = (part: Part) => files.filter((file) => partOf(file) === part && wants(part))

  if (whole) await Promise.all([check(LINT), check(TYPES)])
  await runFiles(ofPart('unit'), UNIT)
  await runEndToEnd(ofPart('e2e'), positionals.length === 0)
}

async function runOnNewerEngine(): Promise<void> {
  try {
    if (!(await check(NEWER_ENGINE))) return
    const environment = { AGENT_TEST_ENGINE: NEWER_ENGINE_SOCKET }
    await runFiles(ENGINE_SUITES, { ...E2E, environment, on: 'the newer engine' })
  } finally {
    await check(NEWER_ENGINE_END)
  }
}

/**
 * In two lanes: those that look at the engine as a whole go one after the other, since each would
 * see the other's containers; beside them go the others, then the newer engine's.
 */
async function runEndToEnd(files: readonly string[], isWhole: boolean): Promise<void> {
  if (files.length === 0) return
  const ready = (await check(BUILD)) && (await check(ENVIRONMENT))
  if (!ready) {
    for (const file of files) {
      const problems = ['did not run: what it needs is missing, see above']
      record({ file, passed: 0, failed: 0, problems, output: '', durationMs: 0 })
    }
    return
  }
  await runFiles(files.filter(isAlone), E2E)
  const together = files.filter((file) => !isAlone(file))
  const onHost = async () => {
    await runFiles(
      together.filter((file) => !looksAtEngine(file)),
      E2E,
    )
    if (isWhole) await runOnNewerEngine()
  }
  await Promise.all([runFiles(together.filter(looksAtEngine), E2E), onHost()])
}

function isAlone(file: string): boolean {
  return ALONE.includes(file)
}

function looksAtEngine(file: string): boolean {
  return LOOKS_AT_ENGINE.test(readFileSync(file, 'utf8'))
}

async function runFiles(
  files: readonly string[],
  { atOnce, on, ...options }: RunMode,
): Promise<void> {
  const queue = [...files]
  const work = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      stop.signal.throwIfAborted()
      const result = await runFile(file, { ...options, signal: stop.signal })
      record(on === undefined ? result : { ...result, file: `${file}, on ${on}` })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
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
