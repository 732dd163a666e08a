/** `agent start` against the control plane of a test. */

import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Exit, type RunningAgent, startAgent } from './agent.ts'
import type { Hub } from './hub.ts'

export interface StartedAgent {
  readonly agent: RunningAgent
  /** Its own: state, home, its log. */
  readonly directory: string
  /** What its own log says by now. */
  readOwnLog(): Promise<string>
  /** The file of a job's log, as the agent keeps it. */
  readJobLog(id: string): Promise<Buffer>
  /** Starts another one on what this one has left. */
  restart(flags?: readonly string[]): Promise<StartedAgent>
  /** TERM, and its end. */
  stop(): Promise<Exit>
  /** Kills it, whatever it does, and removes all it kept. */
  remove(): Promise<void>
}

export interface StartOptions {
  /** Of an earlier agent. Default: a new one. */
  readonly directory?: string
  readonly environment?: Readonly<Record<string, string>>
  /** It is killed after that. Default: 4 minutes. */
  readonly limitMs?: number
}

/** Longer than any test; a hang must not look like a slow machine. */
const LIMIT_MS = 240_000

export async function startFleetAgent(
  hub: Hub,
  flags: readonly string[] = [],
  options: StartOptions = {},
): Promise<StartedAgent> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'started-')))
  const [home, state] = [join(directory, 'home'), join(directory, 'state')]
  const [tokenFile, ownLog] = [join(directory, 'token'), join(directory, 'agent_log')]
  await mkdir(home, { recursive: true })
  await writeFile(tokenFile, `${hub.registrationToken}\n`, { mode: 0o600 })
  const agent = await startAgent(
    [
      ...['start', '--endpoint', hub.endpoint, '--token-file', tokenFile, '--state-dir', state],
      ...(hub.url.startsWith('http:') ? ['--no-https'] : []),
      ...flags,
    ],
    {
      ...{ home, limitMs: options.limitMs ?? LIMIT_MS },
      environment: { SEMAPHORE_AGENT_LOG_FILE_PATH: ownLog, ...options.environment },
    },
  )
  const readOwnLog = () => readFile(ownLog, 'utf8').catch(() => '')
  return {
    ...{ agent, directory, readOwnLog },
    readJobLog: async (id) => await readFile(await pathOfLog(state, id)),
    restart: (newFlags = flags) => startFleetAgent(hub, newFlags, { ...options, directory }),
    async stop() {
      agent.signal('SIGTERM')
      return await agent.exited
    },
    async remove() {
      agent.signal('SIGKILL')
      await agent.exited
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** As lib/records/kept-logs.ts names them. */
async function pathOfLog(state: string, id: string): Promise<string> {
  const logs = join(state, 'logs')
  const key = createHash('sha256').update(id).digest('hex').slice(0, 32)
  const name = (await readdir(logs)).find((name) => name.endsWith(`-${key}.log`))
  if (name === undefined) throw new Error(`There is no log of the job ${id} in ${logs}`)
  return join(logs, name)
}
