/**
 * Puts files into a container, as a rule all of them by one archive.
 *
 * @module
 */

import { posix } from 'node:path'
import { putArchive } from '../../docker/archive.ts'
import type { DockerClient } from '../../docker/client.ts'
import { DockerRefusedError } from '../../errors.ts'
import type { EncodedFile } from '../../request/job-request.ts'
import type { SessionInfo } from '../../shell/facts.ts'
import type { ArchiveEntry } from '../../tar/pack.ts'
import type { RunOptions } from '../executor.ts'
import { describeFailure, NOT_REPLACEABLE, type PlannedFile, planFile } from '../injection.ts'
import { inspectPaths, type PathKind } from './inspect-paths.ts'

export interface InjectionTarget {
  readonly docker: DockerClient
  readonly containerId: string
  /** Of its shell: whose files they become, and where `~` is. */
  readonly info: SessionInfo
  /** Whether it has been started. */
  readonly runs: boolean
}

/** The first file that cannot be written, and why, in lines for the job's author. */
interface Failure {
  readonly index: number
  readonly lines: readonly string[]
}

/** One file and the directories that have to be made for it, outermost first. */
type Delivery = readonly ArchiveEntry[]

/** Mounted in the container's own view alone: what the engine writes there, a job never sees. */
const OUT_OF_REACH = /^\/(?:dev|proc|sys)\//

/** Made by the engine when it starts a container, and mounted over whatever is there. */
const MADE_BY_ENGINE = /^\/etc\/(?:hostname|hosts|resolv\.conf)$/

/** Directories on the way to a file, where there are none. */
const DIRECTORY_MODE = 0o755

/** @returns exit code: 1 when one could not be written; those before it are */
export async function injectContainerFiles(
  target: InjectionTarget,
  files: readonly EncodedFile[],
  { signal, onOutput }: RunOptions,
): Promise<number> {
  const { deliveries, failure: foreseen } = await planDeliveries(target, files, signal)
  const failure = (await deliver(target, deliveries, signal)) ?? foreseen
  for (const { path, mode } of files.slice(0, (failure?.index ?? files.length) + 1)) {
    await onOutput(`Injecting ${path} with file mode ${mode}\n`)
  }
  if (failure === undefined) return 0
  for (const line of failure.lines) await onOutput(`${line}\n`)
  return 1
}

async function planDeliveries(
  { docker, containerId, info, runs }: InjectionTarget,
  files: readonly EncodedFile[],
  signal: AbortSignal,
): Promise<{ deliveries: readonly Delivery[]; failure?: Failure }> {
  const planned = files.map((file) => planFile(file, info.home))
  const places = planned.flatMap((file) => (typeof file === 'string' ? [] : [file.path]))
  const paths = new Set(places.flatMap((path) => [...parentsOf(path), path]))
  const kinds = await inspectPaths([...paths], { docker, containerId, signal, runs })
  const deliveries: Delivery[] = []
  for (const [index, file] of planned.entries()) {
    const delivery = typeof file === 'string' ? file : planDelivery(file, info, kinds)
    if (typeof delivery === 'string')
      return { deliveries, failure: { index, lines: delivery.split('\n') } }
    deliveries.push(delivery)
  }
  return { deliveries }
}

/**
 * Directories that exist get no entry: it would take their owner and mode away, and a link to a
 * directory would be refused.
 *
 * @param kinds what will be there once all files before this one are written; brought up to date
 * @returns a text when the file cannot be written
 */
function planDelivery(
  { path, content, mode }: PlannedFile,
  { uid, gid }: SessionInfo,
  kinds: Map<string, PathKind>,
): Delivery | string {
  const entries: ArchiveEntry[] = []
  for (const parent of parentsOf(path)) {
    const { kind } = kinds.get(parent) ?? { kind: 'nothing' }
    if (kind === 'directory') continue
    if (kind !== 'nothing') return describeFailure(path, `${parent} is not a directory`)
    kinds.set(parent, { kind: 'directory' })
    entries.push({ path: parent, mode: DIRECTORY_MODE, uid, gid })
  }
  const found = kinds.get(path) ?? { kind: 'nothing' }
  const place = found.kind === 'file' ? found.place : path
  const problem = outOfReach(place)
  if (problem !== undefined) {
    const hint = 'Inject it elsewhere and copy it with a command of the job.'
    return `${describeFailure(path, problem)}\n${hint}`
  }
  if (found.kind !== 'nothing' && found.kind !== 'file') {
    return describeFailure(path, NOT_REPLACEABLE)
  }
  kinds.set(path, { kind: 'file', place })
  return [...entries, { path: place, content, mode, uid, gid }]
}

function outOfReach(place: string): string | undefined {
  if (MADE_BY_ENGINE.test(place)) return 'the engine manages this file itself'
  const mount = place.split('/', 2).join('/')
  return OUT_OF_REACH.test(place) ? `the engine cannot put files into ${mount}` : undefined
}

/** Outermost first, without the root. */
function parentsOf(path: string): readonly string[] {
  const parent = posix.dirname(path)
  return parent === '/' ? [] : [...parentsOf(parent), parent]
}

/** Of an archive that is refused nobody says how far it came: so its halves are tried. */
async function deliver(
  target: InjectionTarget,
  deliveries: readonly Delivery[],
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const entries = deliveries.flat()
  const last = entries.at(-1)
  if (last === undefined) return undefined
  try {
    await putArchive(target.docker, target.containerId, entries, signal)
    return undefined
  } catch (error) {
    if (!(error instanceof DockerRefusedError)) throw error
    if (deliveries.length === 1) {
      return { index: 0, lines: [describeFailure(last.path, error.reason), error.hint] }
    }
  }
  const half = Math.ceil(deliveries.length / 2)
  const first = await deliver(target, deliveries.slice(0, half), signal)
  if (first !== undefined) return first
  const second = await deliver(target, deliveries.slice(half), signal)
  return second && { ...second, index: second.index + half }
}
