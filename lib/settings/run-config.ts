/**
 * The settings of `agent run` as the rest of the agent uses them.
 *
 * @module
 */

import { wantsColours } from '../config.ts'
import { defaultStateDirectories, type JobConfig, toJobConfig } from './job-config.ts'
import { flagLayer, resolveSettings, variableLayer } from './layers.ts'
import { RUN_SETTINGS } from './run-settings.ts'
import type { Pair } from './value-type.ts'

export interface RunConfig {
  readonly format: 'json' | 'text'
  readonly colours: boolean
  /** Where the log is shown. */
  readonly isTerminal: boolean
  /** Width of the terminal, in characters. */
  readonly columns: number
  /** In ms: how long what a failed job made is kept. */
  readonly hold: number | undefined
  /** Instead of running it. */
  readonly printRequest: boolean
  /** Whether commands run after one that has failed. */
  readonly keepGoing: boolean
  readonly choice: JobChoice
  readonly job: JobConfig
}

/** What the command line decides of this one job. */
export interface JobChoice {
  /** Of the container for a command without a file. */
  readonly image: string | undefined
  readonly env: readonly Pair[]
  /** Of a command: its number from 1, or its name. */
  readonly from: string | undefined
  readonly only: string | undefined
}

/** What of the process settings depend on; a test passes a plain object. */
export interface ProcessContext {
  readonly env: NodeJS.ProcessEnv
  readonly isRoot: boolean
  readonly stdout: { readonly isTTY?: boolean; readonly columns?: number }
}

const DEFAULT_COLUMNS = 80

/**
 * @param flags as the command line gives them, by name; absent = not given
 * @throws {ConfigError} naming the flag or variable that cannot be used
 */
export function loadRunConfig(
  flags: Readonly<Record<string, unknown>>,
  { env, stdout, isRoot }: ProcessContext,
): RunConfig {
  const layers = [flagLayer(RUN_SETTINGS, flags), variableLayer(RUN_SETTINGS, env)]
  const { format, hold, printRequest, keepGoing, ...others } = resolveSettings(RUN_SETTINGS, layers)
  const { image, env: variables, from, only, ...values } = others
  return {
    format,
    hold,
    printRequest,
    keepGoing,
    choice: { image, env: variables, from, only },
    colours: flags['color'] !== false && wantsColours(env, stdout.isTTY === true),
    isTerminal: stdout.isTTY === true,
    columns: stdout.columns || DEFAULT_COLUMNS, // 0 on a terminal that nobody has told its size
    job: toJobConfig(values, env, defaultStateDirectories(env, isRoot)),
  }
}
