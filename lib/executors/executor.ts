/**
 * Where a job's commands run: on this host or in containers, behind one contract.
 *
 * @module
 */

import type { EncodedFile } from '../request/job-request.ts'
import type { Variable } from '../shell/exports.ts'
import type { RunResult } from '../shell/session.ts'
import type { OnOutput } from '../shell/terminal.ts'

export type { OnOutput, RunResult, Variable }

/**
 * Writes one block of the log: `cmd_started`, the output of `work`, `cmd_finished` with the exit
 * code `work` resolves with. When `work` throws an `AgentError`, its message, code and hint become output
 * and the exit code is 1; an abort of the job's stop signal ends the block with 1 as well.
 *
 * @returns whether the exit code was 0
 */
export type WriteBlock = (
  directive: string,
  work: (onOutput: OnOutput) => Promise<number>,
) => Promise<boolean>

export interface RunOptions {
  /**
   * Aborting stops what runs: TERM to the job's processes, KILL after the grace period. The call
   * still resolves, once the command is gone, so that its last output reaches the log.
   */
  readonly signal: AbortSignal
  readonly onOutput: OnOutput
  /** The agent's own question to the shell: neither `$?` nor the trace of `set -x` shows it. */
  readonly quiet?: boolean
}

export interface PrepareOptions {
  readonly signal: AbortSignal
  readonly block: WriteBlock
  /** Every directive the job may come to run, so that they can be staged in one go. */
  readonly directives: readonly string[]
  /** Sets of variables it may come to export, likewise; staging one does not export it. */
  readonly exports?: readonly (readonly Variable[])[]
}

/**
 * One executor serves one job and is then thrown away. The contract suite of the tests holds what is
 * written here, for executors of all kinds.
 *
 * The job calls it in this order:
 *
 * 1. `prepare` once: pull images, create containers, open the shell session.
 * 2. `exportVariables`, `injectFiles`, `run`: any number of times, in the order of the job.
 * 3. `endShell` at most once, when nothing else is to be run.
 * 4. `dispose`, whatever happened before.
 *
 * One call at a time, other than of `describeProcesses`. A stop is the abort of the signal that all
 * are given, the same for all: what runs then comes to its end, and what is called after it rejects
 * with the signal's reason, except for `describeProcesses` and `dispose`.
 *
 * A command that exits non-zero is a result, not an error: `run` resolves with its exit code.
 * Methods reject with an `AgentError` only when the executor itself could not do its work (the
 * engine died, the terminal is gone); the job is then `failed`, whatever is left of it.
 */
export interface Executor {
  /**
   * Not repeatable. When it fails or is stopped, only `dispose` may follow.
   *
   * @returns false when a block it wrote has failed and said why; rejects when no block could.
   */
  prepare(options: PrepareOptions): Promise<boolean>

  /**
   * Makes the variables known to the job's shell, to every shell that replaces it, and to login
   * shells a person opens beside it. Puts out nothing itself unless bash refuses a variable.
   * Repeatable: of two with one name the later counts.
   *
   * @returns exit code: not 0 when bash refused one
   */
  exportVariables(variables: readonly Variable[], options: RunOptions): Promise<number>

  /**
   * Decodes and writes the files in order, each announced with the output `Injecting <path> with file mode
   * <mode>\n`. Stops at the first that fails: `Failed to set file mode to <mode>\n` for a bad mode. A path may be
   * absolute, start with `~/`, or be relative to the job's home. Repeatable: the later file replaces.
   *
   * @returns exit code: not 0 when one could not be written; the reason is in the output
   */
  injectFiles(files: readonly EncodedFile[], options: RunOptions): Promise<number>

  /** When the shell has ended with the last directive, this one gets a fresh one. */
  run(directive: string, options: RunOptions): Promise<RunResult>

  /**
   * What the job's processes are doing, a line for each. May be called at any time up to `dispose`,
   * while anything else runs and after a stop.
   *
   * @returns the empty string when there are none yet
   */
  describeProcesses(signal: AbortSignal): Promise<string>

  /**
   * Of an executor with services: those that have ended, a line for each. May be called as
   * {@link describeProcesses}.
   */
  describeDeadServices?(signal: AbortSignal): Promise<readonly string[]>

  /**
   * Lets the job's shell end as a shell does when its work is done: an EXIT trap runs, for as long
   * as the grace period at most. Nothing happens where there is no trap, or no shell any more.
   *
   * @returns exit code: not 0 when the trap had to be killed; the output says so
   */
  endShell(options: RunOptions): Promise<number>

  /**
   * Ends everything `prepare` and the job's commands made: processes, containers, network, files.
   * May be called before `prepare`, after a failed one, after a stop, and again; what is already gone
   * is no error. Resolves when nothing is left.
   */
  dispose(): Promise<void>
}

/** How an executor stops, whoever asked: a person, a client, a limit of the job. */
export interface StopPolicy {
  /** Between TERM and KILL. Default 10,000. */
  readonly gracePeriodMs: number
  /** Aborted when a stop is asked for a second time: no more grace. */
  readonly forceStop: AbortSignal
}
