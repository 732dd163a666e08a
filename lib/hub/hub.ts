/**
 * The agents of one process, and the end of all of them.
 *
 * @module
 */

import { randomInt } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type AgentError, explain } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import { TEMPORARY_SUFFIX } from '../files/replace-file.ts'
import type { Logger } from '../log.ts'
import { makeOwn } from '../records/directory.ts'
import { AgentMemory } from './agent-memory.ts'
import { HubAgent } from './hub-agent.ts'
import type { HubContext } from './hub-context.ts'
import { runShutdownHook } from './shutdown-hook.ts'
import type { ShutdownReason } from './state.ts'

/** How all of them ended. */
export interface HubEnd {
  /** Undefined when no agent could be registered. */
  readonly reason: ShutdownReason | undefined
  readonly results: readonly JobResult[]
  /** Why agents could not be registered. */
  readonly errors: readonly AgentError[]
}

/** Below the state directory. */
const DIRECTORY = 'agents'

const NAME_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

export class Hub {
  readonly #context: HubContext
  readonly #agents: readonly HubAgent[]
  #signals = 0

  /** @throws {Error} of the file system */
  static async open(context: HubContext, stateDirectory: string): Promise<Hub> {
    const directory = join(stateDirectory, DIRECTORY)
    await makeOwn(directory)
    const { agents } = context.settings
    const own = Array.from({ length: agents }, (_, index) => index + 1)
    const names = await readdir(directory)
    const torn = names.filter((name) => name.endsWith(TEMPORARY_SUFFIX))
    await Promise.all(torn.map((name) => rm(join(directory, name), { force: true })))
    const numbers = new Set([...own, ...names.flatMap(numberOf)])
    const memories = [...numbers]
      .sort((a, b) => a - b)
      .map((number) => {
        const memory = AgentMemory.open(join(directory, `${number}.json`), context.logFor())
        // Before the supervisor cleans up: a log that still has to be delivered stays.
        if (memory.job !== undefined) context.supervisor.logs.hold(memory.job.id)
        return { number, memory }
      })
    const [first] = memories
    const base = first === undefined ? '' : await findName(context, first.memory)
    const places = memories.map((it) => ({ ...it, base }))
    return new Hub(
      context,
      places.map((place) => createAgent(context, place)),
    )
  }

  private constructor(context: HubContext, agents: readonly HubAgent[]) {
    this.#context = context
    this.#agents = agents
  }

  /** Resolves when all have ended, and the shutdown hook too. */
  async run(): Promise<HubEnd> {
    const { settings, logFor } = this.#context
    let reason: ShutdownReason | undefined
    const ends = await Promise.all(
      this.#agents.map(async (agent) => {
        const end = await agent.run()
        if (end.kind === 'ended' && !agent.isSurplus) reason = end.reason // the last agent's
        return end
      }),
    )
    const path = settings.shutdownHookPath
    if (path !== undefined && reason !== undefined) {
      const { environment } = this.#context
      await runShutdownHook({ path, reason, environment, log: logFor() })
    }
    return {
      reason,
      results: ends.flatMap((end) => (end.kind === 'ended' ? end.results : [])),
      errors: ends.flatMap((end) => (end.kind === 'failed' ? [end.error] : [])),
    }
  }

  /** The first call informs the control plane; from the second one on, jobs are stopped at once. */
  interrupt(): void {
    this.#signals++
    for (const agent of this.#agents) {
      if (this.#signals === 1) agent.interrupt()
      else agent.stopNow()
    }
    if (this.#signals > 1) this.#context.supervisor.forceStop()
  }
}

interface AgentPlace {
  /** From 1 on. */
  readonly number: number
  readonly memory: AgentMemory
  /** The name that all agents share, or a URL. */
  readonly base: string
}

function createAgent(context: HubContext, { number, memory, base }: AgentPlace): HubAgent {
  const { agents } = context.settings
  const name = agents === 1 || /^https?:/.test(base) ? base : `${base}-${number}`
  const log = agents === 1 ? context.logFor() : withPrefix(`[agent ${number}] `, context.logFor())
  return new HubAgent({ context, memory, name, log, isSurplus: number > agents })
}

/** A generated name is kept, so that an agent that was killed comes back under its name. */
async function findName({ settings, logFor }: HubContext, memory: AgentMemory): Promise<string> {
  if (settings.name !== undefined) return settings.name
  if (memory.madeName !== undefined) return memory.madeName
  const name = createName()
  await memory.setMadeName(name).catch((error: unknown) => logFor().error(explain(error)))
  return name
}

/** 20 characters, like the names that the control plane generates. */
function createName(): string {
  const characters = Array.from({ length: 20 }, () =>
    NAME_CHARACTERS.charAt(randomInt(NAME_CHARACTERS.length)),
  )
  return characters.join('')
}

function withPrefix(prefix: string, log: Logger): Logger {
  return {
    debug: (message) => log.debug(`${prefix}${message}`),
    info: (message) => log.info(`${prefix}${message}`),
    warn: (message) => log.warn(`${prefix}${message}`),
    error: (message) => log.error(`${prefix}${message}`),
  }
}

/** `7.json` → 7. Other files there are ignored. */
function numberOf(name: string): number[] {
  const [, digits] = /^([1-9]\d{0,4})\.json$/.exec(name) ?? []
  return digits === undefined ? [] : [Number(digits)]
}
