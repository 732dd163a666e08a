/**
 * Waits for the ports of a service as the job will use them: by name, from inside its network.
 *
 * The main container is asked to connect, by an exec of the bash every job needs. The agent itself
 * could reach a container's address only where the bridge is in its own network namespace, which
 * is not so for a rootless engine, one in a virtual machine, or one behind a forwarded socket; and
 * a program in the service's own container would find ports that are open on its loopback only.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Deadline } from '../../../async/abort.ts'
import type { DockerClient } from '../../../docker/client.ts'
import { inspectContainer } from '../../../docker/containers.ts'
import { runExec } from '../../../docker/exec.ts'
import { DockerRefusedError } from '../../../errors.ts'

export interface PortOptions {
  readonly signal: AbortSignal
  /** From where it is tried. */
  readonly mainId: string
  /** For the first port to accept a connection. */
  readonly timeoutMs: number
}

/** Once a port accepts, the others get this much longer: many images expose ports they seldom open. */
const STRAGGLER_LIMIT_MS = 10_000

/** More than this many of one service are not looked at: an image may expose a whole range. */
const MAX_PORTS = 20

/** Between two looks at whether the main container runs, and between two execs. */
const POLL_MS = 50

const TRIES = 40
const TRY_MS = 50

/** A connection attempt that nobody answers takes minutes: it must not hold the others up. */
const UNANSWERED_MS = 3_000

/** For a whole round; an engine that is slow in this is asked again. */
const PROBE_LIMIT_MS = 5_000

/**
 * One process a port, none a try. `$1` is the number of tries, `$2` the host, then the ports. The
 * descriptor that never has anything to read is a sleep without a program.
 */
const PROBE_SCRIPT = `exec 3<> <(:)
probe() {
  until { true 4<>"/dev/tcp/$2/$3"; } 2>/dev/null; do
    (( --$1 > 0 )) || return
    read -t ${TRY_MS / 1_000} -u 3
  done
  echo "$3"
}
tries=$1 host=$2
shift 2
for port; do probe tries "$host" "$port" & done
probing=$(jobs -p)
{ read -t ${UNANSWERED_MS / 1_000} -u 3; kill $probing; } 2>/dev/null &
wait $probing 2>/dev/null
kill $! 2>/dev/null`

export interface FoundPorts {
  readonly open: readonly number[]
  /** Those that were given up. */
  readonly closed: readonly number[]
}

/** Resolves when all of the ports accept connections, or it is time to wait no longer. */
export async function awaitPorts(
  docker: DockerClient,
  name: string,
  exposed: readonly number[],
  { mainId, timeoutMs, signal }: PortOptions,
): Promise<FoundPorts> {
  const ports = [...exposed].sort((a, b) => a - b).slice(0, MAX_PORTS)
  const open = new Set<number>()
  const find = () => ({
    open: ports.filter((port) => open.has(port)),
    closed: ports.filter((port) => !open.has(port)),
  })
  let deadline = performance.now() + timeoutMs
  while (!(await isRunning(docker, mainId, signal))) await sleep(POLL_MS, undefined, { signal })
  while (open.size < ports.length && performance.now() < deadline) {
    const tries = Math.ceil(Math.min(TRIES, (deadline - performance.now()) / TRY_MS))
    const found = await probePorts(docker, { mainId, name, ports: find().closed, tries, signal })
    for (const port of found) open.add(port)
    if (found.length > 0) deadline = performance.now() + Math.min(STRAGGLER_LIMIT_MS, timeoutMs)
    else await sleep(POLL_MS, undefined, { signal })
  }
  return find()
}

interface PortProbe {
  readonly mainId: string
  readonly name: string
  readonly ports: readonly number[]
  readonly tries: number
  readonly signal: AbortSignal
}

/** @returns the ports that accept a connection: as soon as all do, or after all the tries */
async function probePorts(
  docker: DockerClient,
  { mainId, name, ports, tries, signal }: PortProbe,
): Promise<number[]> {
  using deadline = new Deadline(PROBE_LIMIT_MS, signal)
  const words = [tries, name, ...ports].map(String)
  try {
    const { output } = await runExec(docker, mainId, {
      // -p: no BASH_ENV of the image's.
      command: ['bash', '-p', '-c', PROBE_SCRIPT, 'probe', ...words],
      user: '0',
      signal: deadline.signal,
    })
    return output
      .split('\n')
      .map(Number)
      .filter((port) => ports.includes(port))
  } catch (error) {
    signal.throwIfAborted()
    if (deadline.signal.aborted) return []
    // Of a main container that has ended, whoever opens its shell tells.
    const isRefusal = error instanceof DockerRefusedError
    if (isRefusal && !(await isRunning(docker, mainId, signal))) return []
    throw error
  }
}

async function isRunning(docker: DockerClient, id: string, signal: AbortSignal): Promise<boolean> {
  const { running } = await inspectContainer(docker, id, signal)
  return running
}

/** `port 80`, `ports 80 and 443` */
export function listPorts(ports: readonly number[]): string {
  const last = ports.at(-1)
  return ports.length === 1 ? `port ${last}` : `ports ${ports.slice(0, -1).join(', ')} and ${last}`
}
