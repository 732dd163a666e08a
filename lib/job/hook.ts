/**
 * Hooks: scripts of the host's owner that run as directives of the job.
 *
 * @module
 */

import type { Executor, RunOptions } from '../executors/executor.ts'
import { readSmallFile } from '../files/read-bounded.ts'
import { quoteWord } from '../shell/quote.ts'
import type { HookStep } from './plan.ts'

/** @returns the directive to run; undefined when there is none, and the output says why */
export async function readyHook(
  { path, style, warning }: HookStep,
  executor: Executor,
  options: RunOptions,
): Promise<string | undefined> {
  const { onOutput } = options
  if (style !== 'inline') {
    await onOutput(`Running: ${style} ${path}\n`)
    if (warning !== undefined) await onOutput(`Warning: ${warning}\n`)
    await provide(path, executor, options)
    return `${style} ${quoteWord(path)}`
  }
  try {
    return readSmallFile(path)
  } catch (error) {
    await onOutput(`The hook ${path} cannot be read: ${(error as Error).message}\n`)
    return undefined
  }
}

/**
 * A container does not have the file, unless it is in the image or mounted. An existing file stays as it
 * is, since it may be the host's own. If the host does not have it either, bash reports that itself.
 */
async function provide(path: string, executor: Executor, options: RunOptions): Promise<void> {
  const { signal, onOutput } = options
  const silent = { signal, onOutput: () => undefined, quiet: true }
  const looked = await executor.run(`\\builtin [ -e ${quoteWord(path)} ]\n`, silent)
  if (looked.exitCode === 0) return
  let content: string
  try {
    content = Buffer.from(readSmallFile(path)).toString('base64')
  } catch {
    return
  }
  const said: string[] = []
  const exitCode = await executor.injectFiles([{ path, content, mode: '0755' }], {
    signal,
    onOutput: (text) => void said.push(String(text)),
  })
  if (exitCode !== 0) await onOutput(said.join(''))
}
