/** A machine of its own, run by systemd: a container that is installed into, rebooted, and thrown away. */

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { callEngine, ENGINE_SOCKET } from '../setup/engine.ts'
import { waitFor } from './host.ts'
import { createJobId } from './job-id.ts'

export interface Machine {
  /** Runs a script as root. */
  run(script: string): Promise<Ran>
  /** The same, and what it printed, without the last newline. @throws {Error} when it fails */
  ask(script: string): Promise<string>
  address(): Promise<string>
  /** Of this host, as the machine sees it. */
  hostAddress(): Promise<string>
  /** What a lost power supply does; resolves when it is up again. */
  cutPower(): Promise<void>
  /** As its owner does it: what runs is asked to end. */
  reboot(): Promise<void>
  remove(): Promise<void>
}

export interface Ran {
  readonly code: number
  readonly output: string
}

/** SIGRTMIN+3. @see systemd(1), signals */
const HALT = 37

const UP_LIMIT_MS = 60_000

/** The agent's binary is in `/given`, and this host's engine its own. */
export async function startMachine(): Promise<Machine> {
  const cgroups = await mountedCgroups()
  const { Id } = await call<{ Id: string }>('POST', '/containers/create', {
    Image: 'agent-test/machine',
    Cmd: ['/lib/systemd/systemd'],
    Tty: true,
    Labels: { 'agent.job': createJobId() }, // other test runs do not take it for theirs
    HostConfig: {
      CapAdd: ['ALL'],
      CapDrop: ['SYS_RESOURCE'],
      SecurityOpt: ['seccomp=unconfined', 'apparmor=unconfined'],
      Binds: [
        ...cgroups.map((path) => `${path}:${path}:rw`),
        `${resolve('dist')}:/given:ro`,
        `${ENGINE_SOCKET}:/run/docker.sock`,
      ],
      Tmpfs: { '/run': '', '/tmp': 'exec', ...(await coversOf(cgroups)) },
    },
  })
  const machine: Machine = {
    run: (script) => runIn(Id, script),
    async ask(script) {
      const { code, output } = await runIn(Id, script)
      if (code !== 0) throw new Error(`${script} ended with ${code}: ${output}`)
      return output.trimEnd()
    },
    address: async () => (await networkOf(Id)).IPAddress,
    hostAddress: async () => (await networkOf(Id)).Gateway,
    async cutPower() {
      await call('POST', `/containers/${Id}/kill`)
      await call('POST', `/containers/${Id}/wait`)
      await boot()
    },
    async reboot() {
      await call('POST', `/containers/${Id}/kill?signal=${HALT}`)
      await call('POST', `/containers/${Id}/wait`)
      await boot()
    },
    async remove() {
      await call('DELETE', `/containers/${Id}?force=true&v=true`)
    },
  }
  const boot = async () => {
    await call('POST', `/containers/${Id}/start`)
    const states = /^(running|degraded)/
    const isUp = async () => states.test((await machine.run('systemctl is-system-running')).output)
    await waitFor(isUp, 'the machine is up', UP_LIMIT_MS)
  }
  try {
    await boot()
    return machine
  } catch (error) {
    await machine.remove()
    throw error
  }
}

const CGROUPS = '/sys/fs/cgroup'

/** One place for cgroups v2; of v1 one for each hierarchy. */
async function mountedCgroups(): Promise<readonly string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8')
  const paths = table.split('\n').map((line) => line.split(' ')[1] ?? '')
  const hierarchies = paths.filter((path) => path.startsWith(`${CGROUPS}/`))
  return hierarchies.length === 0 ? [CGROUPS] : hierarchies
}

/**
 * Something empty over the hierarchies that this host does without. systemd would mount them, and
 * as long as they exist, containerd finds no cgroup of new containers: their engine does not hear
 * what is killed in them for want of memory.
 */
async function coversOf(mounted: readonly string[]): Promise<Record<string, string>> {
  if (mounted.includes(CGROUPS)) return {}
  const table = await readFile('/proc/cgroups', 'utf8')
  const names = table.split('\n').flatMap((line) => /^\w+/.exec(line)?.[0] ?? [])
  const missing = names
    .filter((name) => !mounted.includes(`${CGROUPS}/${name}`))
    .map((name) => name.replace(/^net_(cls|prio)$/, 'net_cls,net_prio')) // systemd joins these
  return Object.fromEntries(
    [CGROUPS, ...missing.map((name) => `${CGROUPS}/${name}`)].map((path) => [path, 'mode=755']),
  )
}

async function networkOf(container: string): Promise<{ IPAddress: string; Gateway: string }> {
  const { NetworkSettings } = await call<{
    NetworkSettings: { IPAddress: string; Gateway: string }
  }>('GET', `/containers/${container}/json`)
  return NetworkSettings
}

async function runIn(container: string, script: string): Promise<Ran> {
  const { Id } = await call<{ Id: string }>('POST', `/containers/${container}/exec`, {
    Cmd: ['bash', '-c', script],
    AttachStdout: true,
    AttachStderr: true,
    Tty: true, // unframed output
  })
  const { text } = await callEngine('POST', `/exec/${Id}/start`, { Detach: false, Tty: true })
  const { ExitCode } = await call<{ ExitCode: number }>('GET', `/exec/${Id}/json`)
  return { code: ExitCode, output: text.replaceAll('\r\n', '\n') }
}

async function call<T>(method: string, path: string, body?: object): Promise<T> {
  const { status, text } = await callEngine(method, path, body)
  if (status >= 300) throw new Error(`${method} ${path}: ${text}`)
  return JSON.parse(text || '{}') as T
}
