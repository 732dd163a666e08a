/**
 * A job's processes as a person reads them: what each does and waits for, children below parents.
 * By name alone: a command line may hold a secret, and this goes into the job's log. Pure.
 *
 * @module
 */

export interface ProcessState {
  readonly pid: number
  readonly parent: number
  readonly name: string
  /** As the kernel names it; empty when it does not. */
  readonly waitsIn: string
  /** One letter. @see proc_pid_stat(5) */
  readonly letter: string
}

/** More of them would bury the rest of the log. */
const MAX_LINES = 100

const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'waiting for a device or a disk',
  T: 'stopped',
  t: 'stopped by a debugger',
  Z: 'ended, and not yet waited for by its parent',
  X: 'ended',
  I: 'idle',
}

/**
 * System calls that wait, by their numbers on x64 and arm64: not every kernel names its wait channels.
 *
 * @see https://www.chromium.org/chromium-os/developer-library/reference/linux-constants/syscalls/
 */
const SYSTEM_CALLS: Readonly<Record<string, readonly [x64: number, arm64: number]>> = {
  read: [0, 63],
  write: [1, 64],
  poll: [7, -1],
  ppoll: [271, 73],
  select: [23, -1],
  pselect6: [270, 72],
  epoll_wait: [232, -1],
  epoll_pwait: [281, 22],
  pause: [34, -1],
  nanosleep: [35, 101],
  clock_nanosleep: [230, 115],
  wait4: [61, 260],
  waitid: [247, 95],
  rt_sigsuspend: [130, 133],
  rt_sigtimedwait: [128, 137],
  futex: [202, 98],
  flock: [73, 32],
  fcntl: [72, 25],
  fsync: [74, 82],
  openat: [257, 56],
  connect: [42, 203],
  accept: [43, 202],
  accept4: [288, 242],
  sendto: [44, 206],
  recvfrom: [45, 207],
  recvmsg: [47, 212],
}

/**
 * @param stat, waitChannel, systemCall texts of the files `stat`, `wchan` and `syscall` in /proc/PID;
 *   the latter two may be empty: they can be kept from whoever asks
 * @returns undefined when the process has ended meanwhile
 */
export function parseProcess(
  stat: string,
  waitChannel: string,
  systemCall: string,
): ProcessState | undefined {
  const end = stat.lastIndexOf(')') // the name may hold any character
  const [letter, parent] = stat.slice(end + 2).split(' ')
  if (end === -1 || letter === undefined) return undefined
  const hasChannel = /[a-z]/i.test(waitChannel)
  return {
    pid: Number.parseInt(stat, 10),
    parent: Number(parent),
    name: stat.slice(stat.indexOf('(') + 1, end),
    letter,
    waitsIn: hasChannel ? waitChannel.trim() : nameSystemCall(systemCall),
  }
}

function nameSystemCall(text: string): string {
  const [number = '', descriptor = ''] = text.trim().split(' ')
  const column = process.arch === 'arm64' ? 1 : 0
  const found = Object.entries(SYSTEM_CALLS).find(
    ([, numbers]) => String(numbers[column]) === number,
  )
  if (found === undefined) return ''
  const [name] = found
  return name === 'read' || name === 'write' ? `${name}(${Number(descriptor)})` : name
}

/** @param isRoot which processes to begin with; what is not below one of them is left out */
export function formatProcessTree(
  processes: readonly ProcessState[],
  isRoot: (process: ProcessState) => boolean,
): string {
  const children = Map.groupBy(processes, ({ parent }) => parent)
  const lines: string[] = []
  const pending = processes.filter(isRoot).map((process) => ({ process, depth: 0 }))
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const { process, depth } = next
    lines.push(`${'  '.repeat(Math.min(depth, MAX_LINES))}${formatProcess(process)}\n`)
    const below = children.get(process.pid) ?? []
    pending.unshift(...below.map((child) => ({ process: child, depth: depth + 1 })))
  }
  const rest = lines.length - MAX_LINES
  const more = rest > 0 ? `and ${rest} more\n` : ''
  return lines.slice(0, MAX_LINES).join('') + more
}

function formatProcess({ pid, name, letter, waitsIn }: ProcessState): string {
  const printable = name.replaceAll(/[^\x20-\x7e]/g, '?')
  const waiting = waitsIn === '' || letter === 'R' ? '' : `, in ${waitsIn}`
  return `${printable} (${pid}): ${STATES[letter] ?? letter}${waiting}`
}
