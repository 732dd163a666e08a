/**
 * Runs the tests: `npm test [-- --only unit|e2e] [PATTERN…]`. Without arguments: linter, type check,
 * unit tests, build, test environment, end-to-end tests on `dist/agent`. With patterns: the test
 * files whose path contains one of them, and what these need. Always closes with a line
 * `N passed, N failed`; the exit code is 1 when anything failed or nothing ran.
 *
 * @module
 */

import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { BUILD, type Check, ENVIRONMENT, LINT, runCheck, TYPES } from './runner/checks.ts'
import { failuresOf, printResult, printTotals } from './runner/report.ts'
import { type FileResult, runFile } from './runner/run-file.ts'

type Part = 'unit' | 'e2e'

const UNIT_LIMIT_MS = 60_000
/** Fifty jobs in a row, an image to make: minutes on a slow machine. */
const E2E_LIMIT_MS = 300_000

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
  await runFiles(ofPart('unit'), UNIT_LIMIT_MS, availableParallelism())
  await runEndToEnd(ofPart('e2e'))
}

/** One after the other: they look at the engine and the processes of the whole machine. */
async function runEndToEnd(files: readonly string[]): Promise<void> {
  if (files.length === 0) return
  const ready = (await check(BUILD)) && (await check(ENVIRONMENT))
  if (ready) return runFiles(files, E2E_LIMIT_MS, 1)
  for (const file of files) {
    const problems = ['did not run: what it needs is missing, see above']
    record({ file, passed: 0, failed: 0, problems, output: '', durationMs: 0 })
  }
}

async function runFiles(files: readonly string[], limitMs: number, atOnce: number): Promise<void> {
  const queue = [...files]
  const work = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      stop.signal.throwIfAborted()
      record(await runFile(file, { limitMs, signal: stop.signal }))
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
