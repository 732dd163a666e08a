/**
 * An engine in a container of this machine's own one: newer than that, or of another make, and free
 * to be killed.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { callEngineAt, HOST_SOCKET } from './engine.ts'
import { ENGINE_IMAGE } from './images.ts'

export interface InnerEngine {
  readonly socketPath: string
  /** As `GET /version` says. */
  readonly version: string
  /** Kills the daemon alone, as a crash would; another one is started at once. */
  crash(): Promise<void>
  stop(): Promise<void>
}

const KVM = '/dev/kvm'

const START_LIMIT_MS = 60_000
const POLL_MS = 100

interface Kind {
  /** Where it keeps images and containers. */
  readonly data: string
  /** `$1` is the socket's path. */
  readonly script: string
}

export const DOCKER: Kind = {
  data: '/var/lib/docker',
  // Not the container's first process, so that it can die without it.
  script: 'while :; do rm -f /run/docker.pid; dockerd -H "unix://$1" & wait $!; done',
}

export const PODMAN: Kind = {
  data: '/var/lib/containers',
  script: `mkdir -p /etc/containers
printf '[network]\nfirewall_driver="iptables"\n[engine]\nruntime="runc"\ncgroup_manager="cgroupfs"\n' >/etc/containers/containers.conf
exec podman system service --time=0 "unix://$1"`,
}

/**
 * @param directory of this engine alone; on the host and in the container under the same path, so
 *   that what is mounted from there is found. Its `data` is what the engine keeps.
 */
export async function startInnerEngine(
  kind: Kind,
  name: string,
  directory: string,
): Promise<InnerEngine> {
  const socketPath = join(directory, 'docker.sock')
  const data = join(directory, 'data')
  await mkdir(data, { recursive: true })
  await rm(socketPath, { force: true })
  await remove(name)
  await call('POST', `/containers/create?name=${name}`, 201, {
    Image: ENGINE_IMAGE,
    Cmd: ['bash', '-c', kind.script, 'engine', socketPath],
    Labels: { 'agent.test': 'engine' },
    HostConfig: {
      // As much as there is to be had: machines for tests may not have all that "Privileged" asks for.
      CapAdd: ['ALL'],
      CapDrop: ['SYS_RESOURCE'],
      SecurityOpt: ['seccomp=unconfined', 'apparmor=unconfined'],
      MaskedPaths: [],
      ReadonlyPaths: [],
      Binds: [
        '/sys/fs/cgroup:/sys/fs/cgroup:rw',
        '/tmp:/tmp',
        `${directory}:${directory}`,
        `${data}:${kind.data}`,
      ],
      Tmpfs: { '/run': '' },
      // The agent passes on what its host has, and takes the engine to be on that host.
      Devices: existsSync(KVM)
        ? [{ PathOnHost: KVM, PathInContainer: KVM, CgroupPermissions: 'rwm' }]
        : [],
    },
  })
  await call('POST', `/containers/${name}/start`, 204)
  const version = await waitForVersion(name, socketPath)
  return {
    socketPath,
    version,
    async crash() {
      const { Processes } = await call<{ Processes: string[][] }>(
        'GET',
        `/containers/${name}/top`,
        200,
      )
      const daemon = Processes.find((fields) => fields.at(-1)?.startsWith('dockerd '))
      process.kill(Number(daemon?.[1]), 'SIGKILL')
    },
    stop: () => remove(name),
  }
}

/** Those of the images, by name, that it does not have yet. */
export async function copyImages(socketPath: string, names: readonly string[]): Promise<void> {
  const missing: string[] = []
  for (const name of names) {
    const [outer, inner] = await Promise.all(
      [HOST_SOCKET, socketPath].map((path) => callEngineAt(path, 'GET', `/images/${name}/json`)),
    )
    if (idOf(outer?.text) !== idOf(inner?.text)) missing.push(name)
  }
  if (missing.length === 0) return
  console.log(`Copying images: ${missing.join(' ')}`)
  const query = missing.map((name) => `names=${encodeURIComponent(`${name}:latest`)}`).join('&')
  const saved = await open(`/images/get?${query}`)
  const { status, text } = await callEngineAt(socketPath, 'POST', '/images/load', saved)
  if (status !== 200) throw new Error(`The engine did not take the images: ${text}`)
}

function idOf(text = ''): unknown {
  return (JSON.parse(text) as { Id?: unknown }).Id
}

async function open(path: string): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    request({ socketPath: HOST_SOCKET, path }, resolve).once('error', reject).end()
  })
}

/** @throws {Error} with the end of what it printed when it does not answer in time */
export async function waitForVersion(name: string, socketPath: string): Promise<string> {
  const deadline = performance.now() + START_LIMIT_MS
  for (;;) {
    const answer = await callEngineAt(socketPath, 'GET', '/version').catch(() => undefined)
    if (answer?.status === 200) return (JSON.parse(answer.text) as { Version: string }).Version
    if (performance.now() > deadline) {
      const { text } = await callEngineAt(
        HOST_SOCKET,
        'GET',
        `/containers/${name}/logs?stderr=1&tail=15`,
      )
      throw new Error(`The engine in container ${name} did not start:\n${text}`)
    }
    await sleep(POLL_MS)
  }
}

async function remove(name: string): Promise<void> {
  await callEngineAt(HOST_SOCKET, 'DELETE', `/containers/${name}?force=true&v=true`)
}

async function call<T>(method: string, path: string, wanted: number, body?: object): Promise<T> {
  const { status, text } = await callEngineAt(HOST_SOCKET, method, path, body)
  if (status !== wanted) throw new Error(`The engine answered ${status} to ${path}: ${text}`)
  return (text === '' ? {} : JSON.parse(text)) as T
}
