/** What is on the engine, asked past the agent's own client. */

import { setTimeout as sleep } from 'node:timers/promises'
import { callEngine } from '../setup/engine.ts'
import { isOwnJob } from './job-id.ts'

export interface EngineObjects {
  readonly containers: readonly string[]
  readonly networks: readonly string[]
  /** That no container has. */
  readonly volumes: readonly string[]
}

type Labels = Readonly<Record<string, string>> | null | undefined

interface Found {
  readonly kind: keyof EngineObjects
  readonly name: string
  /** By its label, of a job of this test file. */
  readonly isOwn: boolean
}

/** Longer than an engine takes to remove a container, and then its volume; or to build a step of an image. */
const LASTING_MS = 300

/** Without an owner, and known to last: the engine's own networks, what this machine's user runs. */
const lasting = new Set<string>()

/**
 * Names of what this test file's jobs have made, and of what has no owner, sorted: two looks can be
 * compared. Without a label counts as well, so that a job that forgets to label is found out; but
 * only when it lasts, since other test files run beside this one.
 */
export async function engineObjects(): Promise<EngineObjects> {
  const found = await look()
  if (found.some((it) => !it.isOwn && !lasting.has(keyOf(it)))) {
    await sleep(LASTING_MS)
    const still = new Set((await look()).map(keyOf))
    for (const it of found) if (!it.isOwn && still.has(keyOf(it))) lasting.add(keyOf(it))
  }
  const counted = found.filter((it) => it.isOwn || lasting.has(keyOf(it)))
  const namesOf = (kind: keyof EngineObjects) =>
    counted
      .filter((it) => it.kind === kind)
      .map(({ name }) => name)
      .sort()
  return {
    containers: namesOf('containers'),
    networks: namesOf('networks'),
    volumes: namesOf('volumes'),
  }
}

const DANGLING = encodeURIComponent(JSON.stringify({ dangling: ['true'] }))

async function look(): Promise<readonly Found[]> {
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    ask<ReadonlyArray<{ Names: readonly string[]; Labels?: Labels }>>('/containers/json?all=true'),
    ask<ReadonlyArray<{ Name: string; Labels?: Labels }>>('/networks'),
    ask<{ Volumes: ReadonlyArray<{ Name: string }> | null }>(`/volumes?filters=${DANGLING}`),
  ])
  return [
    ...containers.flatMap(({ Names, Labels }) =>
      Names.flatMap((name) => describe('containers', name, Labels)),
    ),
    ...networks.flatMap(({ Name, Labels }) => describe('networks', Name, Labels)),
    ...(volumes ?? []).flatMap(({ Name }) => describe('volumes', Name)),
  ]
}

/** @returns nothing of what is another test file's, or an engine in a container, as tests start one */
function describe(kind: keyof EngineObjects, name: string, labels?: Labels): readonly Found[] {
  if (labels?.['agent.test'] === 'engine') return []
  const job = labels?.['agent.job']
  if (job !== undefined && !isOwnJob(job)) return []
  return [{ kind, name, isOwn: job !== undefined }]
}

function keyOf({ kind, name }: Found): string {
  return `${kind} ${name}`
}

async function ask<T>(path: string): Promise<T> {
  const { status, text } = await callEngine('GET', path)
  if (status !== 200) throw new Error(`The engine answered ${status} to ${path}: ${text}`)
  return JSON.parse(text) as T
}
