/**
 * Everything a job makes on the engine, known from before it is made until it is gone.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import type { DockerClient } from '../../docker/client.ts'
import { type ContainerSpec, createContainer, removeContainer } from '../../docker/containers.ts'
import { createNetwork, removeNetwork } from '../../docker/networks.ts'

/** Carried by every object: whose it is. */
export const JOB_LABEL = 'agent.job'
export const INSTANCE_LABEL = 'agent.instance'

export interface Ownership {
  readonly jobId: string
  /** Of the agent, the same across its restarts; absent when it leaves nothing to a later one. */
  readonly instanceId?: string | undefined
}

/** What is left to say about a container when name, labels and network are the job's. */
export type ContainerPlan = Omit<ContainerSpec, 'labels' | 'name' | 'network'>

export class JobObjects {
  readonly #docker: DockerClient
  readonly #labels: Readonly<Record<string, string>>
  /** Unique on the engine, so that two jobs, or leftovers, never meet. */
  readonly #network = `agent-${randomBytes(6).toString('hex')}`
  #networkMade = false
  readonly #containers = new Set<string>()

  constructor(docker: DockerClient, { jobId, instanceId }: Ownership) {
    this.#docker = docker
    const instance = instanceId === undefined ? {} : { [INSTANCE_LABEL]: instanceId }
    this.#labels = { [JOB_LABEL]: jobId, ...instance }
  }

  async createNetwork(): Promise<void> {
    this.#networkMade = true
    await createNetwork(this.#docker, this.#network, this.#labels)
  }

  /**
   * @param role part of the container's real name, for people who look at `docker ps`
   * @returns its id
   */
  async createContainer(role: string, plan: ContainerPlan): Promise<string> {
    const suffix = role.replace(/[^A-Za-z0-9_.-]/g, '-')
    const name = `${this.#network}-${this.#containers.size}-${suffix}`
    // By name, and before the call: an answer that gets lost must not leave a container behind.
    this.#containers.add(name)
    const network = this.#network
    return await createContainer(this.#docker, { ...plan, name, network, labels: this.#labels })
  }

  /**
   * Removes what is there, containers at the same time. What could not be removed is tried again
   * by the next call.
   *
   * @throws {AgentError} the engine's own, or an AggregateError of several
   */
  async removeAll(): Promise<void> {
    const results = await Promise.allSettled(
      [...this.#containers].map(async (name) => {
        await removeContainer(this.#docker, name)
        this.#containers.delete(name)
      }),
    )
    if (this.#networkMade) {
      const [removed] = await Promise.allSettled([removeNetwork(this.#docker, this.#network)])
      if (removed.status === 'fulfilled') this.#networkMade = false
      results.push(removed)
    }
    const errors = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    )
    if (errors.length === 1) throw errors[0]
    if (errors.length > 1) {
      throw new AggregateError(errors, 'Containers or the network of the job could not be removed')
    }
  }
}
