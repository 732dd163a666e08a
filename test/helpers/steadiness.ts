/** What an agent that runs jobs for months has to keep as it is, and a look at it from outside and within. */

import { readdirSync, readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { waitFor } from './host.ts'
import { LONG_RUN_JOBS } from './long-run.ts'
import { residentMegabytes, type ServedAgent } from './served-agent.ts'

export interface Look {
  /** What its objects take when all garbage is collected. */
  readonly heapMegabytes: number
  readonly residentMegabytes: number
  readonly descriptors: number
  /** Of files: those of plain memory come and go. */
  readonly mappings: number
  /** In its directory: state, home, log. */
  readonly files: number
}

/** Compiled code and pools still grow a little, however many jobs there are. */
const HEAP_GROWTH_MB = 4

const SETTLING_MS = 90_000

/** Smaller than anything that one forgets of a job. */
const GROWTH_PER_JOB_MB = 0.000_5

/** Waits until nothing of an earlier job is left: clearing up goes on beside the next one. */
export async function lookAt(served: ServedAgent): Promise<Look> {
  const { pid } = served.agent
  await waitFor(() => childrenOf(pid) === '', 'the agent has no child left')
  const heapMegabytes = (await collectedBytes(served)) / 1e6
  await waitFor(() => countedOf(served) !== undefined, 'nothing is being removed')
  const counted = countedOf(served)
  assert.ok(counted)
  return { heapMegabytes, residentMegabytes: await residentMegabytes(pid), ...counted }
}

export async function assertSteady(served: ServedAgent, before: Look, jobs: number): Promise<void> {
  await waitFor(
    () => {
      const { descriptors = Infinity, files = Infinity } = countedOf(served) ?? {}
      return descriptors <= before.descriptors && files <= before.files
    },
    `no more than ${JSON.stringify(before)}`,
  )
  const most = before.heapMegabytes + HEAP_GROWTH_MB + jobs * GROWTH_PER_JOB_MB
  let after = await lookAt(served)
  const account = () => `${JSON.stringify(before)} became ${JSON.stringify(after)}`
  // What waits for a time limit may still be held by it.
  const end = performance.now() + SETTLING_MS
  while (after.heapMegabytes > most) {
    assert.ok(performance.now() < end, account())
    after = await lookAt(served)
  }

  if (LONG_RUN_JOBS > 0) console.log(account())
  assert.is(after.mappings, before.mappings, account())
}

/** @returns undefined while something of an earlier job is being removed under its eyes */
function countedOf({ agent: { pid }, directory }: ServedAgent) {
  try {
    return {
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      mappings: readFileSync(`/proc/${pid}/maps`, 'utf8').match(/ \/.*$/gm)?.length ?? 0,
      files: readdirSync(directory, { recursive: true }).length,
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}

/** A thread may end meanwhile. */
function childrenOf(pid: number): string | undefined {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'))
      .join('')
  } catch {
    return undefined
  }
}

/** Garbage of this size makes the process collect at once, mostly after it has answered. */
const GARBAGE = JSON.stringify({ job_id: 'x'.repeat(4_000_000), commands: [] })

/** One in four shows nothing but what lives. */
const ROUNDS = 12

/**
 * From outside: the agent has no debugger to ask. Whatever is measured between two collections holds
 * garbage of some requests, so that the least is what is alive.
 */
async function collectedBytes(served: ServedAgent): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const { status } = await served.ask('POST', '/jobs', { body: GARBAGE })
    assert.is(status, 422)
    const { text } = await served.ask('GET', '/metrics')
    least = Math.min(least, sumOf(text, OLD_OBJECTS) + sumOf(text, BUFFERS))
  }
  return least
}

/** Those of the new space live for a moment. */
const OLD_OBJECTS = /^nodejs_heap_space_size_used_bytes\{space="(?!new)\w+"\} (\S+)/gm
const BUFFERS = /^nodejs_external_memory_bytes (\S+)/gm

function sumOf(metrics: string, which: RegExp): number {
  const values = [...metrics.matchAll(which)].map(([, value]) => Number(value))
  assert.ok(values.length > 0, metrics)
  return values.reduce((sum, value) => sum + value, 0)
}
