/**
 * Waits for the services of a job, as their images say how to tell that they are ready, and tells
 * at once of one that has ended or will never be.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { DockerClient } from '../../docker/client.ts'
import { inspectContainer, lastLines, waitContainer } from '../../docker/containers.ts'
import { ContainerError } from '../../errors.ts'
import type { RunOptions } from '../executor.ts'
import { awaitPorts, type PortOptions } from './ports.ts'

export interface Service {
  /** As in the request. */
  readonly name: string
  readonly id: string
  readonly hasHealthCheck: boolean
  /** Those its image exposes, TCP only. */
  readonly ports: readonly number[]
}

/** Between two looks; the engine itself looks no more often than the image's own interval. */
const POLL_MS = 100

const SHOWN_LINES = 50

/** Reading the output of a service that failed must not take longer than the failure is worth. */
const OUTPUT_TIMEOUT_MS = 10_000

const HINT = 'Its last output stands above; check its image, command and variables in the job.'

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
  options: PortOptions,
): Promise<void> {
  const { name, hasHealthCheck, ports } = service
  const { onOutput } = options
  if (!hasHealthCheck && ports.length === 0) {
    const text = `Service "${name}" has no health check and exposes no port: nothing to wait for.\n`
    return await onOutput(Buffer.from(text))
  }
  try {
    if (hasHealthCheck) await awaitHealthy(docker, service, options)
    else await awaitPorts(docker, name, ports, options)
  } catch (error) {
    // Once aborted it is another one's failure, handed on.
    const isOwn = error instanceof ContainerError && !options.signal.aborted
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
  const { exitCode, outOfMemory } = await inspectContainer(docker, service.id, signal)
  await showLastLines(docker, service, onOutput)
  const reason = outOfMemory ? ': it ran out of memory' : ''
  throw new ContainerError(
    `Service "${service.name}" ended with exit code ${exitCode}, before the job's commands${reason}`,
    { hint: HINT },
  )
}

async function awaitHealthy(
  docker: DockerClient,
  { name, id }: Service,
  { timeoutMs, signal, onOutput }: PortOptions,
): Promise<void> {
  const startedAt = performance.now()
  const seconds = () => `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`
  for (;;) {
    const { health, running } = await inspectContainer(docker, id, signal)
    if (health === 'healthy') {
      return await onOutput(Buffer.from(`Service "${name}" is healthy after ${seconds()}.\n`))
    }
    // One that has ended is called unhealthy as well, and its watch tells the reason.
    if (health === 'unhealthy' && running) {
      const problem = 'is unhealthy: its health check failed too often'
      throw new ContainerError(`Service "${name}" ${problem}`, { hint: HINT })
    }
    if (performance.now() - startedAt > timeoutMs) {
      throw new ContainerError(`Service "${name}" was not healthy within ${seconds()}`, {
        hint: 'Its last output stands above; --service-start-timeout gives it more time.',
      })
    }
    await sleep(POLL_MS, undefined, { signal })
  }
}

async function showLastLines(
  docker: DockerClient,
  { name, id }: Service,
  onOutput: RunOptions['onOutput'],
): Promise<void> {
  const lines = await lastLines(docker, id, SHOWN_LINES, AbortSignal.timeout(OUTPUT_TIMEOUT_MS))
  const text = Buffer.from(lines).toString()
  if (text === '') return await onOutput(Buffer.from(`Service "${name}" has put out nothing.\n`))
  await onOutput(
    Buffer.from(`Last output of service "${name}":\n${text}${text.endsWith('\n') ? '' : '\n'}`),
  )
}
