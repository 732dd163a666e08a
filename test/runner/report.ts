/** What the runner prints: a line a file, the story of each failure, and the closing line. */

import { LONG_RUN_JOBS } from '../helpers/long-run.ts'
import type { FileResult } from './run-file.ts'

/** Files above this are named at the end: the place to look when the tests get slow. */
const SLOW_MS = 10_000

/** Worth a look, not a scroll through. */
const MAX_SLOW = 8

export function failuresOf({ failed, problems }: FileResult): number {
  return failed + problems.length
}

export function printResult(result: FileResult): void {
  const { file, passed, output, problems } = result
  const failures = failuresOf(result)
  const counts = failures === 0 ? `${passed}` : `${passed} passed, ${failures} FAILED`
  console.log(`${failures === 0 ? 'ok  ' : 'FAIL'} ${file} (${counts}) ${seconds(result)}`)
  if (failures === 0 && LONG_RUN_JOBS === 0) return // the figures are what a long run is for
  for (const problem of problems) console.log(indent(`${file} ${problem}`))
  if (output.trim() !== '') console.log(indent(output.trim()))
}

/** The last thing on standard output. @returns whether everything passed */
export function printTotals(results: readonly FileResult[]): boolean {
  const slow = results
    .filter(({ durationMs }) => durationMs > SLOW_MS)
    .sort((a, b) => b.durationMs - a.durationMs)
    .slice(0, MAX_SLOW)
  for (const result of slow) console.log(`slow: ${result.file} ${seconds(result)}`)
  const broken = results.filter((result) => failuresOf(result) > 0)
  for (const { file } of broken) console.log(`failed: ${file}`)

  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  const failed = results.reduce((sum, result) => sum + failuresOf(result), 0)
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 && passed > 0
}

function seconds({ durationMs }: FileResult): string {
  return `${(durationMs / 1_000).toFixed(1)} s`
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '     ')
}
