/** What is on the engine, asked past the agent's own client. */

import { callEngine } from '../setup/engine.ts'

export interface EngineObjects {
  readonly containers: readonly string[]
  readonly networks: readonly string[]
  readonly volumes: readonly string[]
}

/** Names of everything there is, sorted: two looks can be compared. */
export async function engineObjects(): Promise<EngineObjects> {
  const [containers, networks, volumes] = await Promise.all([
    ask<ReadonlyArray<{ Names: readonly string[] }>>('/containers/json?all=true'),
    ask<ReadonlyArray<{ Name: string }>>('/networks'),
    ask<{ Volumes: ReadonlyArray<{ Name: string }> | null }>('/volumes'),
  ])
  return {
    containers: containers.flatMap(({ Names }) => Names).sort(),
    networks: networks.map(({ Name }) => Name).sort(),
    volumes: (volumes.Volumes ?? []).map(({ Name }) => Name).sort(),
  }
}

async function ask<T>(path: string): Promise<T> {
  const { status, text } = await callEngine('GET', path)
  if (status !== 200) throw new Error(`The engine answered ${status} to ${path}: ${text}`)
  return JSON.parse(text) as T
}
