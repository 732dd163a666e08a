/**
 * Starts a job's shell on this host: a login bash on a terminal, in the job's cgroup.
 *
 * @module
 */

import { DEFAULT_PATH } from '../../config.ts'
import { ShellError } from '../../errors.ts'
import { addToCgroup, makeCgroup } from '../../host/cgroup.ts'
import type { JobDirectory } from '../../host/job-directory.ts'
import { spawnWithOomScore } from '../../host/memory-shortage.ts'
import { bootScript, SHELL_ARGUMENTS } from '../../shell/boot.ts'
import { createToken } from '../../shell/marks.ts'
import { Session } from '../../shell/session.ts'
import type { Gate } from '../../shell/terminal.ts'
import { openGate } from '../../terminal/gate.ts'
import { openHostTerminal } from '../../terminal/host-terminal.ts'
import type { HostTerminal } from '../../terminal/program.ts'
import { findProgram } from '../../terminal/script.ts'

export interface StartOptions {
  readonly environment: Readonly<Record<string, string>>
  /** Where its files are. */
  readonly directory: JobDirectory
  /** Lines of bash, run once the login scripts are done. */
  readonly prelude: string
  /** How many directives there may come, at most. */
  readonly steps: number
  readonly cgroup: string | undefined
  readonly signal: AbortSignal
  /** Awaited as soon as it runs. `boot` is the word of its command line by which it is known. */
  readonly onStart: (terminal: HostTerminal, boot: string) => Promise<void>
}

/** In the job's private directory. */
const BOOT = 'boot'

/** A login script may ask the network for something; one that asks the keyboard never ends. */
const READY_TIMEOUT_MS = 60_000

export interface StartedShell {
  readonly session: Session
  /** To be awaited before anything of the job itself runs: then it is in the job's cgroup. */
  readonly grouped: Promise<void>
}

/** @throws {ShellError} when there is no bash, or it does not get ready */
export async function startShell(options: StartOptions): Promise<StartedShell> {
  const bash = findProgram('bash', options.environment['PATH'] ?? DEFAULT_PATH)
  if (bash === undefined) {
    throw new ShellError('This host has no bash on its PATH', {
      hint: 'Install bash (package bash), or start the agent with a PATH that contains it.',
    })
  }
  const gate = openGate()
  try {
    return await start(bash, gate, options)
  } catch (error) {
    gate?.close()
    throw error
  }
}

async function start(
  bash: string,
  gate: Gate | undefined,
  options: StartOptions,
): Promise<StartedShell> {
  const { environment, directory, prelude, steps, cgroup, signal, onStart } = options
  const token = createToken()
  const script = bootScript({ token, directory: directory.path, steps, prelude, gate })
  const boot = await directory.handover.write(BOOT, script)
  const program = {
    file: bash,
    args: [...SHELL_ARGUMENTS, boot],
    environment,
    directory: '/', // the boot script goes to $HOME, which may not exist
  }
  const terminal = spawnWithOomScore(() => openHostTerminal(program))
  const grouped = addToGroup(cgroup, terminal.pid)
  try {
    await onStart(terminal, boot)
  } catch (error) {
    terminal.close()
    throw error
  }
  const session = await Session.open(terminal, {
    bootToken: token,
    directory: directory.path,
    gate,
    signal,
    onOutput: () => undefined, // what login scripts print belongs to no directive
    readyTimeoutMs: READY_TIMEOUT_MS,
  })
  return { session, grouped }
}

async function addToGroup(cgroup: string | undefined, pid: number): Promise<void> {
  if (cgroup === undefined) return
  makeCgroup(cgroup)
  await addToCgroup(cgroup, pid)
}
