/**
 * Runs one test file in a process of its own, with a time limit, a temporary directory of its own,
 * and a look at what it leaves behind.
 *
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Message } from './message.ts'
import { findSurvivors, killSurvivors, MARK } from './survivors.ts'

export interface FileResult {
  readonly file: string
  readonly passed: number
  readonly failed: number
  /** What is wrong besides failed tests; each counts as a failure. */
  readonly problems: readonly string[]
  /** What the file printed, uvu's account of failed tests included. */
  readonly output: string
  readonly durationMs: number
}

export interface FileOptions {
  readonly limitMs: number
  readonly signal: AbortSignal
  readonly environment?: Readonly<Record<string, string>> | undefined
  /** The namespace it runs in, as a path. Default: this process's own. */
  readonly network?: string | undefined
}

/** What a flood of output may hold in the runner's memory; the start and the end tell the story. */
const MAX_OUTPUT = 1_000_000

/** Processes on their way out when the file ends get this long. */
const ENDING_LIMIT_MS = 5_000

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url))

/** The path of the jump point is fixed: every served job of the other tests writes there. */
const NEEDS_OWN_TMP = /e2e\/jump-point/

/** Runs a command with an empty /tmp, but for what is here and in its temporary directory. */
const WITH_OWN_TMP = [
  ...['unshare', '--mount', 'sh', '-euc'],
  `mount -t tmpfs -o mode=1777 none /mnt
for kept in "$PWD" "$TMPDIR"; do
  case $kept in /tmp/*) mkdir -p "/mnt\${kept#/tmp}"; mount --bind "$kept" "/mnt\${kept#/tmp}" ;; esac
done
mount --move /mnt /tmp; cd "$PWD"; exec "$@"`,
  'sh',
] as const

export async function runFile(file: string, options: FileOptions): Promise<FileResult> {
  const started = performance.now()
  const mark = randomUUID()
  // Short: the path of a socket in it holds at most 107 bytes.
  const directory = await mkdtemp(join(tmpdir(), 'at-'))
  const [program, ...args] = [
    ...enter(options.network),
    ...(NEEDS_OWN_TMP.test(file) ? WITH_OWN_TMP : []),
    ...[process.execPath, WORKER, file],
  ]
  const child = spawn(program, args, {
    detached: true, // a process group of its own, killed as a whole at the time limit
    env: { ...process.env, ...options.environment, TMPDIR: directory, [MARK]: mark },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const watch = watchMessages(child)
  const readOutput = collectOutput(child)
  // Messages and output may still be on their way when the process has ended.
  const told = new Promise((resolve) => child.once('disconnect', resolve))
  const closed = new Promise((resolve) => child.once('close', resolve))
  const problems = await waitForEnd(child, options)
  await waitAtMost(told)
  problems.push(...watch.problems(), ...(await cleanUp(mark, directory)))
  await waitAtMost(closed)
  return {
    file,
    passed: watch.passed,
    failed: watch.failed,
    problems,
    output: readOutput(),
    durationMs: performance.now() - started,
  }
}

function enter(network?: string): [] | [string, string] {
  return network === undefined ? [] : ['nsenter', `--net=${network}`]
}

function watchMessages(child: ChildProcess) {
  const seen = { passed: 0, failed: 0, running: '', finished: false, problems: [] as string[] }
  child.on('message', (message: Message) => {
    if (message.type === 'started') seen.running = message.title
    else if (message.type === 'problem') seen.problems.push(message.text)
    else if (message.type === 'finished') seen.finished = true
    else {
      seen[message.type]++
      seen.running = ''
    }
  })
  return {
    get passed() {
      return seen.passed
    },
    get failed() {
      return seen.failed
    },
    problems() {
      const place = seen.running === '' ? '' : ` in "${seen.running}"`
      if (!seen.finished) seen.problems.push(`ended before its tests were over${place}`)
      else if (seen.passed + seen.failed === 0) seen.problems.push('has no test that ran')
      return seen.problems
    },
  }
}

function collectOutput(child: ChildProcess): () => string {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (output.length > 2 * MAX_OUTPUT) {
        output = `${output.slice(0, MAX_OUTPUT / 2)}\n[…]\n${output.slice(-MAX_OUTPUT / 2)}`
      }
    })
  }
  return () => output
}

function waitForEnd(child: ChildProcess, { limitMs, signal }: FileOptions): Promise<string[]> {
  const problems: string[] = []
  const kill = () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }
  const limit = setTimeout(() => {
    problems.push(`was killed after its ${limitMs / 1_000} s`)
    kill()
  }, limitMs)
  signal.addEventListener('abort', kill)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, killer) => {
      clearTimeout(limit)
      signal.removeEventListener('abort', kill)
      if (killer !== null && problems.length === 0) problems.push(`was killed by ${killer}`)
      if (code !== null && code > 1) problems.push(`ended with exit code ${code}`)
      resolve(problems)
    })
  })
}

/** A process that nobody killed may hold a pipe open for ever. */
async function waitAtMost(event: Promise<unknown>): Promise<void> {
  const over = new AbortController()
  await Promise.race([event, sleep(ENDING_LIMIT_MS, undefined, { signal: over.signal })])
  over.abort()
}

/** @returns what the file left behind; it is gone now */
async function cleanUp(mark: string, directory: string): Promise<string[]> {
  let survivors = findSurvivors(mark)
  const deadline = performance.now() + ENDING_LIMIT_MS
  while (survivors.length > 0 && performance.now() < deadline) {
    await sleep(20)
    survivors = findSurvivors(mark)
  }
  killSurvivors(survivors)
  const entries = await readdir(directory)
  await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  return [
    ...survivors.map(({ pid, commandLine }) => `left process ${pid} behind: ${commandLine}`),
    ...entries.map((name) => `left ${name} behind in its temporary directory`),
  ]
}
