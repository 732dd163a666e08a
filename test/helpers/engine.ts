/** What is on the engine, asked past the agent's own client. */

import { callEngine } from '../setup/engine.ts'
import { isOwnJob } from './job-id.ts'

export interface EngineObjects {
  readonly containers: readonly string[]
  readonly networks: readonly string[]
  readonly volumes: readonly string[]
}

interface Labelled {
  readonly Labels?: Readonly<Record<string, string>> | null
}

/** Names of everything but other test runs' jobs, sorted: two looks can be compared. */
export async function engineObjects(): Promise<EngineObjects> {
  const [containers, networks, volumes] = await Promise.all([
    ask<ReadonlyArray<Labelled & { Names: readonly string[] }>>('/containers/json?all=true'),
    ask<ReadonlyArray<Labelled & { Name: string }>>('/networks'),
    ask<{ Volumes: ReadonlyArray<{ Name: string }> | null }>('/volumes'),
  ])
  return {
    containers: containers
      .filter(isOurs)
      .flatMap(({ Names }) => Names)
      .sort(),
    networks: networks
      .filter(isOurs)
      .map(({ Name }) => Name)
      .sort(),
    volumes: (volumes.Volumes ?? []).map(({ Name }) => Name).sort(),
  }
}

/**
 * What carries no label at all counts, so that a job that forgets to label is found out. An engine
 * in a container, as tests start one, does not.
 */
function isOurs({ Labels }: Labelled): boolean {
  if (Labels?.['agent.test'] === 'engine') return false
  const job = Labels?.['agent.job']
  return job === undefined || isOwnJob(job)
}

async function ask<T>(path: string): Promise<T> {
  const { status, text } = await callEngine('GET', path)
  if (status !== 200) throw new Error(`The engine answered ${status} to ${path}: ${text}`)
  return JSON.parse(text) as T
}
