/**
 * The processes a job has started on this host, wherever they have gone since, and their end.
 *
 * @module
 */

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ShellError } from '../errors.ts'
import { killCgroup, processesInCgroup, removeCgroup } from './cgroup.ts'

/**
 * How a process is known to belong to a job: its control group, where the agent may make one; a
 * variable in its environment, inherited by all it starts; a shell's session; or a parent that
 * belongs. A daemon loses its session and its parent but keeps the variable, `env -i` loses the
 * variable but keeps the session; one that does both keeps the group.
 */
export interface ProcessSelector {
  /** Value of {@link COOKIE_NAME}, unique per job. */
  readonly cookie: string
  /** Processes started by the agent for this job; each is the leader of its own session. */
  readonly leaders: ReadonlySet<number>
  /** Directory of the job's control group. */
  readonly cgroup?: string | undefined
  /** From {@link clockTicksNow}, before the first of them was started. */
  readonly since: number
}

/** A process that leads a session, with its start, so that a later process with the same pid is not taken for it. */
export interface SessionLeader {
  readonly pid: number
  /** On the clock of {@link clockTicksNow}; undefined when it ended before that could be read. */
  readonly startedAt?: number | undefined
}

/** The shell of a job, as long as it is one: a directive may replace it by `exec`. */
export interface Shell {
  readonly pid: number
  /** Itself, and what it was started by: with any of those its terminal goes. */
  readonly keepers: ReadonlySet<number>
}

export const COOKIE_NAME = 'AGENT_JOB_COOKIE'

/** Between two looks at the process table while waiting for processes to end. */
const POLL_MS = 10

/** That have to find nothing, one after the other, until that is believed. */
const LOOKS = 2

/** On a machine that starts processes without pause. */
const MAX_LISTINGS = 10

/** A process in the kernel's hands (state D) survives KILL; nobody waits for it for ever. */
const KILL_LIMIT_MS = 5_000

interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly session: number
  /** Clock ticks since boot. With the pid it names one process for good. */
  readonly startedAt: number
  readonly zombie: boolean
}

/** The kernel counts a process's start in hundredths of a second since boot, on every Linux. */
const TICKS_PER_SECOND = 100

/** Now, on the clock by which the kernel dates processes. */
export function clockTicksNow(): number {
  const [uptime = '0'] = readFileSync('/proc/uptime', 'utf8').split(' ')
  return Math.floor(Number(uptime) * TICKS_PER_SECOND) - 1 // rounded the other way by the kernel
}

/** @param pid of a process that was started by this one, and not yet waited for */
export function identifyLeader(pid: number): SessionLeader {
  return { pid, startedAt: readEntry(String(pid))?.startedAt }
}

/** Whether the pid has not gone to another process meanwhile. True when no process has it: its session may live on. */
export function isStillLeader({ pid, startedAt }: SessionLeader): boolean {
  const entry = readEntry(String(pid))
  return entry === undefined || entry.startedAt === startedAt
}

/** Whether that very process runs; where its start is not known, whether any runs with its pid. */
export function isAlive({ pid, startedAt }: SessionLeader): boolean {
  const entry = readEntry(String(pid))
  if (entry === undefined || entry.zombie) return false
  return startedAt === undefined || entry.startedAt === startedAt
}

/** Pids of the job's living processes. Takes a few milliseconds: reads all of /proc. */
export function findJobProcesses(selector: ProcessSelector): number[] {
  const all: ProcessEntry[] = []
  const found = new Set(selector.cgroup === undefined ? [] : processesInCgroup(selector.cgroup))
  for (const entry of listProcesses()) {
    all.push(entry)
    if (belongs(entry, selector)) found.add(entry.pid)
  }
  // Children of what was found, and theirs: listed in no particular order, so until nothing is new.
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid)
  }
  return all.filter(({ pid, zombie }) => found.has(pid) && !zombie).map(({ pid }) => pid)
}

/**
 * @param bootPath last of the shell's arguments; its subshells carry it as well, but are younger
 * @returns undefined when it has ended, or runs another program now
 */
export function findShell(selector: ProcessSelector, bootPath: string): Shell | undefined {
  const entries = findJobProcesses(selector).flatMap((pid) => readEntry(String(pid)) ?? [])
  const [shell] = entries
    .filter(({ pid }) => readProcFile(String(pid), 'cmdline')?.endsWith(`\0${bootPath}\0`))
    .sort((a, b) => a.startedAt - b.startedAt || a.pid - b.pid)
  if (shell === undefined) return undefined
  const parents = new Map(entries.map(({ pid, parent }) => [pid, parent]))
  const keepers = new Set<number>()
  for (let pid: number | undefined = shell.pid; pid !== undefined; pid = parents.get(pid)) {
    if (parents.has(pid)) keepers.add(pid)
  }
  return { pid: shell.pid, keepers }
}

/** Sends a signal to each; those that are gone meanwhile, or belong to root, are passed over. */
export function signalProcesses(pids: readonly number[], signal: NodeJS.Signals) {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // ESRCH: it ended by itself. EPERM: it became another user; the caller sees it survive.
    }
  }
}

/**
 * Kills until nothing of the job is left, and removes its control group. What is found may fork
 * while it is looked at, and one that replaces itself be missed: so nothing has to be found twice.
 *
 * @throws {ShellError} naming the pids that are left after 5 s
 */
export async function killJobProcesses(selector: ProcessSelector): Promise<void> {
  const { cgroup } = selector
  const deadline = performance.now() + KILL_LIMIT_MS
  for (let looks = 0; looks < LOOKS; ) {
    if (cgroup !== undefined) killCgroup(cgroup)
    const pids = findJobProcesses(selector)
    looks = pids.length === 0 && isRemoved(cgroup) ? looks + 1 : 0
    if (looks > 0) continue
    if (performance.now() > deadline) {
      throw new ShellError(`Processes of the job could not be killed: ${pids.join(', ')}`, {
        hint: 'They run as another user or hang in the kernel: kill them as root, or restart the host.',
      })
    }
    signalProcesses(pids, 'SIGKILL')
    await sleep(POLL_MS)
  }
}

function isRemoved(cgroup: string | undefined): boolean {
  return cgroup === undefined || removeCgroup(cgroup)
}

function belongs(entry: ProcessEntry, selector: ProcessSelector): boolean {
  if (selector.leaders.has(entry.pid) || selector.leaders.has(entry.session)) return true
  // Older than the job: spares reading the environment of nearly every process there is.
  if (entry.startedAt < selector.since) return false
  return readCookie(entry.pid) === selector.cookie
}

/**
 * One by one, so that each can be looked at before it ends. Lists again until nothing is new: one that
 * has ended may have started another after the listing.
 */
function* listProcesses(): Generator<ProcessEntry> {
  const seen = new Set([String(process.pid)])
  for (let listings = 0; listings < MAX_LISTINGS; listings++) {
    const fresh = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && !seen.has(name))
    if (fresh.length === 0) return
    for (const name of fresh) {
      seen.add(name)
      const entry = readEntry(name)
      if (entry !== undefined) yield entry
    }
  }
}

/** @see man 5 proc_pid_stat: the name stands in parentheses and may hold any character */
function readEntry(pid: string): ProcessEntry | undefined {
  const stat = readProcFile(pid, 'stat')
  if (stat === undefined) return undefined
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return {
    pid: Number(pid),
    zombie: fields[0] === 'Z' || fields[0] === 'X',
    parent: Number(fields[1]),
    session: Number(fields[3]),
    startedAt: Number(fields[19]),
  }
}

function readCookie(pid: number): string | undefined {
  const environment = readProcFile(String(pid), 'environ')
  const entry = environment?.split('\0').find((text) => text.startsWith(`${COOKIE_NAME}=`))
  return entry?.slice(COOKIE_NAME.length + 1)
}

function readProcFile(pid: string, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return undefined // ended since, or another user's: not one of ours to end
  }
}
