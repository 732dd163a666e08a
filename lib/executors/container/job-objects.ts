/**
 * Everything a job makes on the engine, known from before it is made until it is gone.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { backoff, retry } from '../../async/retry.ts'
import type { DockerClient } from '../../docker/client.ts'
import { removeContainer } from '../../docker/containers.ts'
import {
  type ContainerSpec,
  type CreatedContainer,
  createContainer,
} from '../../docker/create-container.ts'
import { createNetwork, removeNetwork } from '../../docker/networks.ts'
import { AgentError, CleanupError, DockerUnreachableError } from '../../errors.ts'
import type { ExecutorOptions, NamedContainer } from '../kind.ts'

/** Carried by every object: whose it is. */
export const JOB_LABEL = 'agent.job'
export const INSTANCE_LABEL = 'agent.instance'

export interface Ownership {
  readonly jobId: string
  /** Of the agent, the same across its restarts. */
  readonly instanceId: string
  readonly onContainer: ExecutorOptions['onContainer']
}

/** What is left to say about a container when names, labels and network are the job's. */
export type ContainerPlan = Omit<ContainerSpec, 'labels' | 'name' | 'network' | 'role'>

/** Between two attempts to remove what an engine would not. */
const BACKOFF = { firstMs: 500, maxMs: 500 }

export class JobObjects {
  readonly #docker: DockerClient
  readonly #labels: Readonly<Record<string, string>>
  /** Unique on the engine, so that two jobs, or orphans, never collide. */
  readonly #network = `agent-${randomBytes(6).toString('hex')}`
  #networkMade = false
  readonly #containers = new Set<string>()
  readonly #onContainer: Ownership['onContainer']
  readonly #made: NamedContainer[] = []

  constructor(docker: DockerClient, { jobId, instanceId, onContainer }: Ownership) {
    this.#docker = docker
    this.#onContainer = onContainer
    this.#labels = { [JOB_LABEL]: jobId, [INSTANCE_LABEL]: instanceId }
  }

  /** Containers, by the names the job gives them. */
  get made(): readonly NamedContainer[] {
    return this.#made
  }

  async createNetwork(): Promise<void> {
    this.#networkMade = true
    try {
      await createNetwork(this.#docker, this.#network, this.#labels)
    } catch (error) {
      this.#networkMade = mayExist(error)
      throw error
    }
  }

  /**
   * @param role its name in the job; part of its real one, for people who look at `docker ps`
   */
  async createContainer(role: string, plan: ContainerPlan): Promise<CreatedContainer> {
    const suffix = role.replace(/[^A-Za-z0-9_.-]/g, '-').slice(0, 63)
    const name = `${this.#network}-${this.#containers.size}-${suffix}`
    // By name, and before the call: an answer that gets lost must not leave a container behind.
    this.#containers.add(name)
    const network = this.#network
    const labels = this.#labels
    try {
      const created = await createContainer(this.#docker, {
        ...plan,
        name,
        role,
        network,
        labels,
      })
      const made = { name: role, id: created.id }
      this.#made.push(made)
      this.#onContainer(made)
      return created
    } catch (error) {
      if (!mayExist(error)) this.#containers.delete(name)
      throw error
    }
  }

  /**
   * Removes what is there, containers at the same time. An engine that is gone, or has something
   * against it, is asked again until it has done it or the deadline has passed.
   *
   * @throws {CleanupError} that says what is left, why, and how to remove it
   */
  async removeAll(deadline: AbortSignal): Promise<void> {
    let cause: unknown
    const action = async () => {
      const error = await this.#tryToRemoveAll(deadline)
      // A deadline says less than the engine's own words.
      if (cause === undefined || !deadline.aborted) cause = error
      if (error !== undefined) throw error
    }
    try {
      await retry(action, { delaysMs: backoff(BACKOFF), signal: deadline })
    } catch {
      throw this.#cleanupError(cause)
    }
  }

  #cleanupError(cause: unknown): CleanupError {
    const network = this.#networkMade ? [this.#network] : []
    const containers = [...this.#containers]
    const commands = [
      ...(containers.length > 0 ? [`docker rm --force --volumes ${containers.join(' ')}`] : []),
      ...network.map((name) => `docker network rm ${name}`),
    ]
    const names = [...containers, ...network].join(', ')
    return new CleanupError(`The job's containers and network are still there: ${names}`, {
      hint: `Once the Docker Engine works again, remove them: ${commands.join(' && ')}`,
      cause,
    })
  }

  /** @returns what was in the way, the first of it */
  async #tryToRemoveAll(signal: AbortSignal): Promise<unknown> {
    const results = await Promise.allSettled(
      [...this.#containers].map(async (name) => {
        await removeContainer(this.#docker, name, signal)
        this.#containers.delete(name)
      }),
    )
    if (this.#networkMade) {
      const [removed] = await Promise.allSettled([
        removeNetwork(this.#docker, this.#network, signal),
      ])
      if (removed.status === 'fulfilled') this.#networkMade = false
      results.push(removed)
    }
    return results.find((result) => result.status === 'rejected')?.reason
  }
}

/** After a call to create it has failed: unless the engine said no, or was never reached. */
function mayExist(error: unknown): boolean {
  if (error instanceof DockerUnreachableError) return error.mayHaveActed
  return !(error instanceof AgentError)
}
