/** What an agent that runs jobs for months has to keep as it is, and a look at it from outside and within. */

import { readdirSync, readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { waitFor } from './host.ts'
import { LONG_RUN_JOBS } from './long-run.ts'
import { residentMegabytes, type ServedAgent } from './served-agent.ts'

export interface Look {
  /** What its objects take, without garbage. */
  readonly heapMegabytes: number
  /** Of buffers and large strings: with some of requests that are over. */
  readonly bufferMegabytes: number
  readonly residentMegabytes: number
  readonly descriptors: number
  /** Of files: those of plain memory come and go. */
  readonly mappings: number
  /** In its directory: state, home, log. */
  readonly files: number
}

/** Compiled code and pools still grow a little, however many jobs there are. */
const HEAP_GROWTH_MB = 4

/** What single requests hold, as long as they are not collected: they are large here. */
const BUFFER_GROWTH_MB = 64

const SETTLING_MS = 90_000

/** Smaller than anything that one forgets of a job. */
const GROWTH_PER_JOB_MB = 0.000_5

/** Waits until nothing of an earlier job is left: clearing up goes on beside the next one. */
export async function lookAt(served: ServedAgent): Promise<Look> {
  const { pid } = served.agent
  await waitFor(() => childrenOf(pid) === '', 'the agent has no child left')
  const { heap, buffers } = await measureAlive(served)
  await waitFor(() => countedOf(served) !== undefined, 'nothing is being removed')
  const counted = countedOf(served)
  assert.ok(counted)
  return {
    heapMegabytes: heap / 1e6,
    bufferMegabytes: buffers / 1e6,
    residentMegabytes: await residentMegabytes(pid),
    ...counted,
  }
}

export async function assertSteady(served: ServedAgent, before: Look, jobs: number): Promise<void> {
  await waitFor(
    () => {
      const { descriptors = Infinity, files = Infinity } = countedOf(served) ?? {}
      return descriptors <= before.descriptors && files <= before.files
    },
    `no more than ${JSON.stringify(before)}`,
  )
  const heapLimit = before.heapMegabytes + HEAP_GROWTH_MB + jobs * GROWTH_PER_JOB_MB
  const bufferLimit = before.bufferMegabytes + BUFFER_GROWTH_MB
  const isSteady = ({ heapMegabytes, bufferMegabytes }: Look) =>
    heapMegabytes < heapLimit && bufferMegabytes < bufferLimit
  let after = await lookAt(served)
  const account = () => `${JSON.stringify(before)} became ${JSON.stringify(after)}`
  // What waits for a time limit may still be held by it.
  const end = performance.now() + SETTLING_MS
  while (!isSteady(after)) {
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

/** Bytes that are in nothing else than buffers and large strings: with some of them the process collects. */
const GARBAGE = JSON.stringify({ job_id: 'x'.repeat(4_000_000), commands: [] })

/** Functions that have not run for some of them are given up. */
const COLLECTIONS = 3

/**
 * From outside: the agent has no debugger to ask. Of what is measured, some is garbage made since the
 * last collection; the least is what is alive.
 */
async function measureAlive(served: ServedAgent): Promise<{ heap: number; buffers: number }> {
  const alive = { heap: Number.POSITIVE_INFINITY, buffers: Number.POSITIVE_INFINITY }
  let first: number | undefined
  for (let collections = 0; collections < (first ?? 0) + COLLECTIONS; ) {
    assert.is((await served.ask('POST', '/jobs', { body: GARBAGE })).status, 422)
    const { text } = await served.ask('GET', '/metrics')
    collections = sumOf(text, /^nodejs_gc_duration_seconds_count\{kind="major"\} (\S+)/gm)
    first ??= collections
    alive.heap = Math.min(alive.heap, sumOf(text, HEAP))
    alive.buffers = Math.min(alive.buffers, sumOf(text, BUFFERS))
  }
  return alive
}

/** But for the spaces of what is new, and of large objects. */
const HEAP = /^nodejs_heap_space_size_used_bytes\{space="(?:code|old|trusted)"\} (\S+)/gm
const BUFFERS =
  /^nodejs_(?:external_memory_bytes|heap_space_size_used_bytes\{space="large_object"\}) (\S+)/gm

function sumOf(metrics: string, which: RegExp): number {
  const values = [...metrics.matchAll(which)].map(([, value]) => Number(value))
  return values.reduce((sum, value) => sum + value, 0)
}
