/**
 * Which process has written something down, in a file that outlives boots and that several hosts or
 * containers may share, as a home does: a pid alone means another process elsewhere.
 *
 * @module
 */

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { identifyLeader, isAlive, type SessionLeader } from './processes.ts'

/** `unknown`: of another machine or container, where only that one can tell. */
export type Life = 'alive' | 'dead' | 'unknown'

/** Another one after each boot of the machine. @see man 5 proc, random/boot_id */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/** This process, in characters that need no quoting: `MACHINE.BOOT.NAMESPACE.PID.START`. */
export function identifySelf(): string {
  const { pid, startedAt = 0 } = identifyLeader(process.pid)
  return [...hostIdentity(), pid, startedAt].join('.')
}

/** @param identity from {@link identifySelf} of any process; what is none is `unknown` */
export function lifeOf(identity: string): Life {
  const [machine, boot, namespace, pid, startedAt] = identity.split('.')
  const [ownMachine, ownBoot, ownNamespace] = hostIdentity()
  if (machine !== ownMachine || startedAt === undefined) return 'unknown'
  if (boot !== ownBoot) return 'dead'
  if (namespace !== ownNamespace) return 'unknown'
  const leader: SessionLeader = { pid: Number(pid), startedAt: Number(startedAt) }
  return isAlive(leader) ? 'alive' : 'dead'
}

/** Names a file after this process, so that others know when it is no longer needed. */
export function createOwnName(): string {
  return `${identifySelf()}-${randomBytes(6).toString('hex')}`
}

/** @param name from {@link createOwnName} of any process, with any ending */
export function isOfDeadProcess(name: string): boolean {
  const [identity = ''] = name.split('-')
  return lifeOf(identity) === 'dead'
}

function hostIdentity(): [machine: string, boot: string, namespace: string] {
  const [namespace = '0'] = /\d+/.exec(readlinkSync('/proc/self/ns/pid')) ?? []
  return [shortHash(`${readMachineId()} ${hostname()}`), shortHash(readBootId()), namespace]
}

/** Containers of one image may all have the same, or none: their host names differ. */
function readMachineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim()
  } catch {
    return ''
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
