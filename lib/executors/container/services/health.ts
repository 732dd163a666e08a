/**
 * Waits until the health check of a service's image has passed.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Deadline, LinkedAbort } from '../../../async/abort.ts'
import type { DockerClient } from '../../../docker/client.ts'
import { inspectContainer } from '../../../docker/containers.ts'
import { runExec } from '../../../docker/exec.ts'
import { ContainerError, DockerRefusedError } from '../../../errors.ts'
import { awaitPorts, type PortOptions } from './ports.ts'
import {
  FAILED_HINT,
  LATE_HINT,
  type ReadyOptions,
  type Service,
  startStopwatch,
} from './service.ts'

/** Between two looks at what the engine says. */
const POLL_MS = 100

/** Between two health checks of our own: each is a process in the container. */
const CHECK_INTERVAL_MS = 500

const MAX_QUOTED_CHARACTERS = 500

/** One that hangs is let go of; the engine has its own limit for its own ones. */
const CHECK_LIMIT_MS = 30_000

/**
 * The engine checks as often as the image says: every 30 s by default, the first time after that.
 * So the check is run from here as well, until it passes once, which is all the engine asks for, too.
 */
export async function awaitHealthy(
  docker: DockerClient,
  service: Service,
  healthCheck: readonly string[],
  options: ReadyOptions,
): Promise<void> {
  const seconds = startStopwatch()
  using over = new LinkedAbort(options.signal)
  const both = { ...options, signal: over.signal }
  try {
    await Promise.race([
      untilEngineSaysSo(docker, service, both),
      untilCheckPasses(docker, service, healthCheck, both),
    ])
  } finally {
    over.abort()
  }
  const text = `Service "${service.name}" is healthy after ${seconds()}.\n`
  await options.onOutput(text)
}

async function untilEngineSaysSo(
  docker: DockerClient,
  { name, id }: Service,
  { timeoutMs, mask, signal }: ReadyOptions,
): Promise<void> {
  const seconds = startStopwatch()
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const { health, healthOutput, running } = await inspectContainer(docker, id, signal)
    if (health === 'healthy') return
    // One that has ended is called unhealthy as well, and its watch tells the reason.
    if (health === 'unhealthy' && running) {
      const problem = `is unhealthy: its health check failed too often${quoteCheck(mask(healthOutput))}`
      throw new ContainerError(`Service "${name}" ${problem}`, { hint: FAILED_HINT })
    }
    if (performance.now() > deadline) {
      const problem = `was not healthy within ${seconds()}${quoteCheck(mask(healthOutput))}`
      throw new ContainerError(`Service "${name}" ${problem}`, { hint: LATE_HINT })
    }
    await sleep(POLL_MS, undefined, { signal })
  }
}

/**
 * What the last check said, in one line: the service itself may know nothing of it.
 *
 * @param output masked: a secret that is cut, or joined from lines, is not recognized any more
 */
function quoteCheck(output: string): string {
  const lines = output.split(/[\r\n]/).map((line) => line.trim())
  const text = lines.filter((line) => line !== '').join('; ')
  if (text === '') return ''
  const isLong = text.length > MAX_QUOTED_CHARACTERS
  return `, at last with: ${isLong ? `${text.slice(0, MAX_QUOTED_CHARACTERS)}…` : text}`
}

/**
 * Not before its ports are open: databases start once for themselves to set things up, closed to
 * the network, and a check that asks from inside passes then, a moment before they end again.
 */
async function untilCheckPasses(
  docker: DockerClient,
  { name, id, ports }: Service,
  command: readonly string[],
  options: PortOptions,
): Promise<void> {
  const { signal } = options
  if (ports.length > 0) {
    const { open } = await awaitPorts(docker, name, ports, options)
    if (open.length === 0) return await new Promise<never>(() => undefined) // the engine will tell
  }
  while (!(await doesPass(docker, id, command, signal))) {
    await sleep(CHECK_INTERVAL_MS, undefined, { signal })
  }
}

async function doesPass(
  docker: DockerClient,
  id: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  using deadline = new Deadline(CHECK_LIMIT_MS, signal)
  try {
    const { exitCode } = await runExec(docker, id, { command, signal: deadline.signal })
    return exitCode === 0
  } catch (error) {
    signal.throwIfAborted()
    // Refused: it does not run, or no longer, or the image lacks the program.
    if (deadline.signal.aborted || error instanceof DockerRefusedError) return false
    throw error
  }
}
