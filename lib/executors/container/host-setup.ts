/**
 * The request's commands for this host, before anything else of a job in containers.
 *
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Deadline, onAbort } from '../../async/abort.ts'
import { ContainerError } from '../../errors.ts'
import { addToCgroup, makeCgroup } from '../../host/cgroup.ts'
import type { HostResources } from '../../host/host-resources.ts'
import { spawnWithOomScore } from '../../host/memory-shortage.ts'
import { COOKIE_NAME, killJobProcesses } from '../../host/processes.ts'
import type { Command } from '../../request/job-request.ts'
import type { PrepareOptions, StopPolicy } from '../executor.ts'

export interface HostSetupOptions {
  readonly environment: Readonly<Record<string, string>>
  readonly resources: HostResources
  readonly policy: StopPolicy
}

/** Shown of a command that failed: its end, where the reason stands. */
const MAX_OUTPUT_BYTES = 256 * 1024

/** A child left in the background may hold the pipes open for ever; what it says then is not waited for. */
const DRAIN_MS = 200

/** Nothing of a command may run before it is in the job's control group. */
const WHEN_LET = 'read -r -u 3; exec 3<&-; exec bash -c "$1"'

/** @returns false when one has failed; the block it wrote says how */
export async function runHostSetup(
  commands: readonly Command[],
  { signal, block }: Pick<PrepareOptions, 'block' | 'signal'>,
  options: HostSetupOptions,
): Promise<boolean> {
  for (const { directive, alias } of commands) {
    signal.throwIfAborted()
    const { exitCode, output, endedBy } = await runOnHost(directive, signal, options)
    signal.throwIfAborted()
    if (exitCode === 0) continue
    return await block(alias || directive, async (onOutput) => {
      if (alias) await onOutput(`Running: ${directive}\n`)
      await onOutput(output)
      if (endedBy !== null) await onOutput(`The command was ended by ${endedBy}.\n`)
      return exitCode
    })
  }
  return true
}

/** Ends what the commands have left in the background. @throws {ShellError} when it cannot be killed */
export async function endHostSetup({ cookie, cgroup, since }: HostResources): Promise<void> {
  await killJobProcesses({ cookie, cgroup, since, leaders: new Set() })
}

async function runOnHost(
  directive: string,
  signal: AbortSignal,
  { environment, resources, policy }: HostSetupOptions,
): Promise<{ exitCode: number; output: Buffer; endedBy: NodeJS.Signals | null }> {
  // In a process group of its own, so that a stop reaches what it starts.
  const child = spawnWithOomScore(() =>
    spawn('bash', ['-c', WHEN_LET, 'bash', directive], {
      env: { ...environment, [COOKIE_NAME]: resources.cookie },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
    }),
  )
  void letRun(child, resources)
  let output = Buffer.alloc(0)
  const keep = (chunk: Buffer) => {
    output = endOf(Buffer.concat([output, chunk]))
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  using stopping = new DisposableStack()
  stopping.use(onAbort(signal, () => stopping.use(endGroup(child, policy))))
  try {
    const closed = once(child, 'close')
    closed.catch(() => undefined) // fails as 'exit' does
    const [code, endedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    await Promise.race([closed, sleep(DRAIN_MS)])
    if (signal.aborted) signalGroup(child, 'SIGKILL')
    return { exitCode: code ?? 1, output, endedBy }
  } catch (cause) {
    throw new ContainerError('A host setup command could not be started: bash does not run here', {
      hint: "Install bash on the agent's host (package bash).",
      cause,
    })
  } finally {
    child.stdout?.destroy()
    child.stderr?.destroy()
  }
}

/** From the beginning of a line, if there is one: in half of it the half of a secret is not recognized. */
function endOf(output: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  if (output.length <= MAX_OUTPUT_BYTES) return output
  const end = output.subarray(-MAX_OUTPUT_BYTES)
  const line = end.indexOf('\n') + 1
  return line === end.length ? end : end.subarray(line)
}

async function letRun({ pid, stdio }: ChildProcess, { cgroup }: HostResources): Promise<void> {
  const gate = stdio[3] as Writable
  gate.on('error', () => undefined) // it ended before it was let run
  if (pid !== undefined && cgroup !== undefined) {
    makeCgroup(cgroup)
    await addToCgroup(cgroup, pid)
  }
  gate.end()
}

/** TERM, then KILL once the grace period is over, unless that is disposed of before. */
function endGroup(child: ChildProcess, { gracePeriodMs, forceStop }: StopPolicy): Disposable {
  signalGroup(child, 'SIGTERM')
  const deadline = new Deadline(gracePeriodMs, forceStop)
  void onAbort(deadline.signal, () => {
    if (child.exitCode === null) signalGroup(child, 'SIGKILL')
  })
  return deadline
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // ESRCH: all of the group has ended by itself.
  }
}
