/** What an agent that runs jobs for months has to keep as it is, and a look at it from outside and within. */

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
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
  let after = await lookAt(served)
  const account = () => `${JSON.stringify(before)} became ${JSON.stringify(after)}`
  const isSteady = async () => {
    after = await lookAt(served)
    const grown = after.heapMegabytes - before.heapMegabytes
    return grown < HEAP_GROWTH_MB + jobs * GROWTH_PER_JOB_MB
  }
  // What waits for a time limit may still be held by it.
  const end = performance.now() + SETTLING_MS
  while (!(await isSteady())) assert.ok(performance.now() < end, account())

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

const ASK_AGAIN_MS = 100

/**
 * Once nobody is connected: it waits for that, and the agent with it. And after the loop has looked
 * for events: Node acts on a signal twice, and what is still to come would open it again.
 */
const CLOSE = `setTimeout(() => setImmediate(() => process.getBuiltinModule('inspector').close()), 20)`

interface Answer {
  readonly id: number
  readonly result: { readonly result?: { readonly value: number } }
}

/** By the debugger's protocol, which SIGUSR1 opens on the binary as on any Node. */
async function collectedBytes({ agent }: ServedAgent): Promise<number> {
  const addresses = () => agent.stderr.match(/(?<=listening on )ws:\/\/\S+/g) ?? []
  const refusals = () => agent.stderr.match(/^Starting inspector .+ failed/gm) ?? []
  const isClosed = () => agent.stderr.match(/ending on ws:/g)?.length === addresses().length
  const answers = () => addresses().length + refusals().length
  const known = addresses().length
  // Again, as long as another test's agent has the port, which is fixed; but one signal at a time:
  // what a slow agent has not come to yet would open it again later.
  await waitFor(async () => {
    const before = answers()
    agent.signal('SIGUSR1')
    await waitFor(() => answers() > before, 'the agent answers to SIGUSR1')
    if (addresses().length === known) await sleep(ASK_AGAIN_MS)
    return addresses().length > known
  }, 'the debugger listens')
  const socket = new WebSocket(addresses().at(-1) ?? '')
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
  await ask(5, 'Runtime.evaluate', { expression: CLOSE })
  socket.close()
  await waitFor(isClosed, 'the debugger has gone')
  return result?.value ?? Number.NaN
}
