/** Runs the binary as a user would: another directory, a home of its own, no docker client on PATH. */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { JobEvent, JobResult } from '../../lib/events/event.ts'
import { ENGINE_SOCKET, HOST_SOCKET } from '../setup/engine.ts'
import { createJobId } from './job-id.ts'

const BINARY = resolve('dist/agent')

/** Longer than any test job; a hang must not look like a slow machine. */
const TIME_LIMIT_MS = 120_000

export interface RunOptions {
  readonly home?: string
  readonly args?: readonly string[]
  readonly input?: string
  readonly cwd?: string
  readonly environment?: Readonly<Record<string, string>>
  /** It is killed after that. Default: two minutes. */
  readonly limitMs?: number
  /** Words before the agent's path, as `setpriv …`. */
  readonly prefix?: readonly string[]
}

export interface Exit {
  /** 128 + signal when it was killed. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunningAgent {
  /** So far. */
  readonly stdout: string
  readonly stderr: string
  readonly pid: number
  signal(signal: NodeJS.Signals): void
  closeOutput(): void
  readonly exited: Promise<Exit>
}

export interface FinishedJob extends Exit {
  readonly events: readonly JobEvent[]
  readonly result: JobResult | undefined
}

export const encode = (text: string): string => Buffer.from(text).toString('base64')

/** Starts `agent ARGS…`; a directory that was made for it is removed when it ends. */
export async function startAgent(
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunningAgent> {
  const own = await mkdtemp(join(tmpdir(), 'run-'))
  const [program = BINARY, ...words] = [...(options.prefix ?? []), BINARY, ...args]
  const child = spawn(program, words, {
    cwd: options.cwd ?? own,
    env: {
      PATH: await barePath(),
      HOME: options.home ?? own,
      LANG: 'C.UTF-8',
      ...(ENGINE_SOCKET === HOST_SOCKET ? {} : { DOCKER_HOST: `unix://${ENGINE_SOCKET}` }),
      ...options.environment,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const collected = collect(child)
  child.stdin.on('error', () => undefined) // it may end without reading
  child.stdin.end(options.input ?? '')
  const limit = setTimeout(() => child.kill('SIGKILL'), options.limitMs ?? TIME_LIMIT_MS)
  const exited = new Promise<Exit>((done, fail) => {
    child.once('error', fail)
    child.once('close', (code, signal) => {
      clearTimeout(limit)
      const status = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
      rm(own, { recursive: true, force: true }).then(
        () => done({ code: status, stdout: collected.stdout, stderr: collected.stderr }),
        fail,
      )
    })
  })
  return {
    get stdout() {
      return collected.stdout
    },
    get stderr() {
      return collected.stderr
    },
    pid: child.pid ?? -1,
    signal: (signal) => void child.kill(signal),
    closeOutput: () => void child.stdout.destroy(),
    exited,
  }
}

export async function runAgent(args: readonly string[], options?: RunOptions): Promise<Exit> {
  const agent = await startAgent(args, options)
  return await agent.exited
}

/** Starts `agent run --format json -` on a job. */
export async function startJob(
  job: object,
  options: RunOptions = {},
): Promise<RunningAgent & { readonly finished: Promise<FinishedJob> }> {
  const args = ['run', '--format', 'json', ...(options.args ?? []), '-']
  const input = JSON.stringify({ job_id: createJobId(), ...job })
  const agent = await startAgent(args, { ...options, input })
  return Object.assign(agent, { finished: agent.exited.then(toFinishedJob) })
}

export async function runJob(job: object, options?: RunOptions): Promise<FinishedJob> {
  const agent = await startJob(job, options)
  return await agent.finished
}

function toFinishedJob(exit: Exit): FinishedJob {
  const lines = exit.stdout.split('\n').filter((line) => line.startsWith('{'))
  const events = lines.map((line) => JSON.parse(line) as JobEvent)
  const last = events.at(-1)
  return { ...exit, events, result: last?.event === 'job_finished' ? last.result : undefined }
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const collected = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8')
    child[name]?.on('data', (text: string) => {
      collected[name] += text
    })
  }
  return collected
}

let bareDirectory: Promise<string> | undefined

/** A directory with links to every program of this machine but docker's: what a bare machine has. */
function barePath(): Promise<string> {
  bareDirectory ??= linkPrograms(resolve('dist/bare-path'))
  return bareDirectory
}

async function linkPrograms(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true })
  for (const source of ['/bin', '/sbin', '/usr/bin', '/usr/sbin']) {
    for (const name of await readdir(source)) {
      if (name.startsWith('docker')) continue
      await symlink(join(source, name), join(directory, name)).catch(ignoreExisting)
    }
  }
  return directory
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
