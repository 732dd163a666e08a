/**
 * Waits for the services of a job, as far as their images say how to tell that they are ready.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { DockerClient } from '../../docker/client.ts'
import { type ContainerState, inspectContainer, lastLines } from '../../docker/containers.ts'
import { ContainerError } from '../../errors.ts'
import type { RunOptions } from '../executor.ts'

export interface Service {
  /** As in the request. */
  readonly name: string
  readonly id: string
}

export interface HealthOptions extends RunOptions {
  readonly timeoutMs: number
}

/** Between two looks; the engine itself looks no more often than the image's own interval. */
const POLL_MS = 100

const SHOWN_LINES = 50

/** Reading the output of a service that failed must not take longer than the failure is worth. */
const OUTPUT_TIMEOUT_MS = 10_000

/**
 * Resolves when the image's health check has passed, and says how long that took.
 *
 * @throws {ContainerError} when it fails, the service ends, or the time is up; its last 50 lines
 *   are in the output by then
 */
export async function awaitHealthy(
  docker: DockerClient,
  { name, id }: Service,
  { timeoutMs, signal, onOutput }: HealthOptions,
): Promise<void> {
  const startedAt = performance.now()
  const seconds = () => `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`
  for (;;) {
    const state = await inspectContainer(docker, id, signal)
    if (state.health === 'healthy' && state.running) {
      await onOutput(Buffer.from(`Service "${name}" is healthy after ${seconds()}.\n`))
      return
    }
    const late = performance.now() - startedAt > timeoutMs
    const problem = describeProblem(state, late ? seconds() : undefined)
    if (problem !== undefined) {
      await showLastLines(docker, { name, id }, onOutput)
      throw new ContainerError(`Service "${name}" ${problem}`, {
        hint: 'Its last output stands above; check its image, command and variables in the job.',
      })
    }
    await sleep(POLL_MS, undefined, { signal })
  }
}

function describeProblem(state: ContainerState, waited: string | undefined): string | undefined {
  if (!state.running) return `ended with exit code ${state.exitCode} before it was healthy`
  if (state.health === 'unhealthy') return 'is unhealthy: its health check failed too often'
  return waited === undefined ? undefined : `was not healthy within ${waited}`
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
