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
const RESIDENT_GROWTH_MB = 40

/** Smaller than anything that one forgets of a job. */
const GROWTH_PER_JOB_MB = 0.000_5

/** Waits until nothing of an earlier job is left: clearing up goes on beside the next one. */
export async function lookAt(served: ServedAgent): Promise<Look> {
  const { pid } = served.agent
  await waitFor(() => childrenOf(pid) === '', 'the agent has no child left')
  return {
    heapMegabytes: (await collectedBytes(served)) / 1e6,
    residentMegabytes: await residentMegabytes(pid),
    ...countedOf(served),
  }
}

export async function assertSteady(served: ServedAgent, before: Look, jobs: number): Promise<void> {
  await waitFor(
    () => {
      const { descriptors, files } = countedOf(served)
      return descriptors <= before.descriptors && files <= before.files
    },
    `no more than ${JSON.stringify(before)}, got ${JSON.stringify(countedOf(served))}`,
  )
  const after = await lookAt(served)
  const grown = (name: 'heapMegabytes' | 'residentMegabytes') => after[name] - before[name]
  const account = `${JSON.stringify(before)} became ${JSON.stringify(after)}`

  if (LONG_RUN_JOBS > 0) console.log(account)
  assert.is(after.mappings, before.mappings, account)
  assert.ok(grown('heapMegabytes') < HEAP_GROWTH_MB + jobs * GROWTH_PER_JOB_MB, account)
  assert.ok(grown('residentMegabytes') < RESIDENT_GROWTH_MB + jobs * GROWTH_PER_JOB_MB, account)
}

function countedOf({ agent: { pid }, directory }: ServedAgent) {
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    mappings: readFileSync(`/proc/${pid}/maps`, 'utf8').match(/ \/.*$/gm)?.length ?? 0,
    files: readdirSync(directory, { recursive: true }).length,
  }
}

function childrenOf(pid: number): string {
  return readdirSync(`/proc/${pid}/task`)
    .map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'))
    .join('')
}

interface Answer {
  readonly id: number
  readonly result: { readonly result?: { readonly value: number } }
}

/** By the debugger's protocol, which SIGUSR1 opens on the binary as on any Node. */
async function collectedBytes({ agent }: ServedAgent): Promise<number> {
  agent.signal('SIGUSR1')
  const address = () => /ws:\/\/\S+/.exec(agent.stderr)?.[0]
  await waitFor(() => address() !== undefined, 'the debugger listens')
  const socket = new WebSocket(address() ?? '')
  await new Promise((resolve) => socket.addEventListener('open', resolve))
  const ask = async (id: number, method: string, params = {}) => {
    const answered = new Promise<Answer['result']>((resolve) =>
      socket.addEventListener('message', ({ data }) => {
        const answer = JSON.parse(String(data)) as Answer
        if (answer.id === id) resolve(answer.result)
      }),
    )
    socket.send(JSON.stringify({ id, method, params }))
    return await answered
  }
  // What is collected lets go of more, by finalizers that run later.
  for (const id of [1, 2, 3]) await ask(id, 'HeapProfiler.collectGarbage')
  const expression = '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())'
  const { result } = await ask(4, 'Runtime.evaluate', { expression })
  socket.close()
  return result?.value ?? Number.NaN
}
