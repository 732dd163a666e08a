/**
 * Waits for the services of a job, as their images say how to tell that they are ready, and tells
 * at once of one that has ended or will never be.
 *
 * @module
 */

import { Deadline } from '../../../async/abort.ts'
import type { DockerClient } from '../../../docker/client.ts'
import {
  type ContainerState,
  formatMemory,
  inspectContainer,
  lastLines,
  waitContainer,
} from '../../../docker/containers.ts'
import { ContainerError } from '../../../errors.ts'
import type { RunOptions } from '../../executor.ts'
import { explainExecFailure } from '../exec-failure.ts'
import { awaitHealthy } from './health.ts'
import { awaitPorts, listPorts } from './ports.ts'
import {
  FAILED_HINT,
  LATE_HINT,
  type ReadyOptions,
  type Service,
  startStopwatch,
} from './service.ts'

const SHOWN_LINES = 50

/** 128 + SIGKILL */
const KILLED = 137

/** Reading the output of a service that failed must not take longer than the failure is worth. */
const OUTPUT_TIMEOUT_MS = 10_000

/**
 * Resolves when the image's health check has passed, or, without one, the ports it exposes accept
 * connections; and says what was waited for, and how long. Of a service that ends meanwhile
 * {@link watchService} tells.
 *
 * @throws {ContainerError} when it never gets there; its last 50 lines are in the output by then
 */
export async function awaitReady(
  docker: DockerClient,
  service: Service,
  options: ReadyOptions,
): Promise<void> {
  const { name, healthCheck, ports } = service
  const { signal, waits, onOutput } = options
  const seconds = startStopwatch()
  using _ = waits?.begin(() => `Waiting for service "${name}", ${seconds()}`)
  try {
    if (healthCheck !== undefined) await awaitHealthy(docker, service, healthCheck, options)
    else if (ports.length > 0) await awaitOpen(docker, service, options)
  } catch (error) {
    // Once aborted it is another one's failure, handed on.
    const isOwn = error instanceof ContainerError && !signal.aborted
    if (isOwn) await showLastLines(docker, service, onOutput)
    throw error
  }
}

/**
 * Resolves when the signal is aborted.
 *
 * @throws {ContainerError} when the service ends before; its last 50 lines are in the output by then
 */
export async function watchService(
  docker: DockerClient,
  service: Service,
  { signal, onOutput }: RunOptions,
): Promise<void> {
  try {
    await waitContainer(docker, service.id, signal)
  } catch (error) {
    if (signal.aborted) return
    throw error
  }
  const state = await inspectContainer(docker, service.id, signal)
  const said = await showLastLines(docker, service, onOutput)
  const end = `ended with exit code ${state.exitCode}, before the job's commands`
  throw new ContainerError(`Service "${service.name}" ${end}${memoryShortage(state)}`, {
    hint: (await explainExecFailure(docker, said, service.platform, signal)) ?? FAILED_HINT,
  })
}

function memoryShortage({ exitCode, outOfMemory, memoryLimit }: ContainerState): string {
  const limit = memoryLimit === 0 ? '' : ` (its limit: ${formatMemory(memoryLimit)})`
  if (outOfMemory) return `: it ran out of memory${limit}`
  // A busy engine may miss it when the container ends in the same moment.
  return exitCode === KILLED && limit !== '' ? `: it may have run out of memory${limit}` : ''
}

async function awaitOpen(
  docker: DockerClient,
  { name, ports }: Service,
  options: ReadyOptions,
): Promise<void> {
  const seconds = startStopwatch()
  const { open, closed } = await awaitPorts(docker, name, ports, options)
  if (open.length === 0) {
    const what = `accepted no connection on ${listPorts(closed)} within ${seconds()}`
    throw new ContainerError(`Service "${name}" ${what}`, { hint: LATE_HINT })
  }
  const rest = closed.length === 0 ? '' : `; not on ${listPorts(closed)}`
  const what = `accepts connections on ${listPorts(open)} after ${seconds()}${rest}`
  await options.onOutput(`Service "${name}" ${what}.\n`)
}

/** @returns them */
async function showLastLines(
  docker: DockerClient,
  { name, id }: Service,
  onOutput: RunOptions['onOutput'],
): Promise<string> {
  using deadline = new Deadline(OUTPUT_TIMEOUT_MS)
  const lines = await lastLines(docker, id, SHOWN_LINES, deadline.signal)
  const text = Buffer.from(lines).toString()
  if (text === '') await onOutput(`Service "${name}" has printed nothing.\n`)
  else {
    const title = `Last output of service "${name}":\n`
    const output = Buffer.from(text.replace(/\n?$/, '\n'))
    // In one go: other services may have something to say as well.
    await Promise.all([onOutput(title), onOutput(output)])
  }
  return text
}
