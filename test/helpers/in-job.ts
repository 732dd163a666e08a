/** Directives in a job of either executor, for what has to be the same in both. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ENGINE_SOCKET, HOST_SOCKET } from '../setup/engine.ts'
import { encode, type FinishedJob, type RunOptions, runJob } from './agent.ts'
import { containerJob, IMAGE } from './container-job.ts'
import { type Block, blocksOf } from './events.ts'

export type Place = 'container' | 'host'

/** What runs on the host is the same beside any engine. */
export const PLACES: readonly Place[] =
  ENGINE_SOCKET === HOST_SOCKET ? ['host', 'container'] : ['container']

export interface InJobOptions extends RunOptions {
  readonly cacheDirectory?: string
  readonly variables?: Readonly<Record<string, string>>
  readonly files?: readonly { path: string; content: string; mode: string }[]
  /** Of the main container. */
  readonly image?: string
  readonly user?: string
  readonly entrypoint?: string
}

export interface FinishedDirectives {
  /** Of the directives that ran, in their order. */
  readonly blocks: readonly Block[]
  /** Their outputs. */
  readonly outputs: readonly string[]
  readonly job: FinishedJob
}

/**
 * What a job on the host makes by `mktemp` goes with it.
 *
 * @param place in which a job runs them in one shell, until the first that fails
 */
export async function inJob(
  place: Place,
  directives: readonly string[],
  options: InJobOptions = {},
): Promise<FinishedDirectives> {
  if (place === 'container') return await runDirectives(place, directives, options)
  const directory = await mkdtemp(join(tmpdir(), 'job-'))
  try {
    const variables = { TMPDIR: directory, ...options.variables }
    return await runDirectives(place, directives, { ...options, variables })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function runDirectives(
  place: Place,
  directives: readonly string[],
  options: InJobOptions,
): Promise<FinishedDirectives> {
  const { cacheDirectory, args = [] } = options
  const cache = cacheDirectory === undefined ? [] : ['--cache-dir', cacheDirectory]
  const job = await runJob(describeJob(place, directives, options), {
    ...options,
    args: [...cache, ...args],
  })
  const blocks = blocksOf(job.events).filter(({ directive }) => directives.includes(directive))
  return { blocks, outputs: blocks.map(({ output }) => output), job }
}

export function describeJob(
  place: Place,
  directives: readonly string[],
  { variables = {}, files = [], image = IMAGE, user, entrypoint }: InJobOptions = {},
): object {
  const rest = {
    env_vars: Object.entries(variables).map(([name, value]) => ({ name, value: encode(value) })),
    files: files.map((file) => ({ ...file, content: encode(file.content) })),
  }
  if (place === 'container') return containerJob({ image, user, entrypoint }, directives, rest)
  return { commands: directives.map((directive) => ({ directive })), ...rest }
}
