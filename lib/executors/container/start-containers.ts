/**
 * Makes a job's network and containers and starts them, as much as possible at the same time.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { LinkedAbort } from '../../async/abort.ts'
import { settleAll } from '../../async/settle-all.ts'
import type { DockerClient } from '../../docker/client.ts'
import { startContainer } from '../../docker/containers.ts'
import type { Mount } from '../../docker/create-container.ts'
import type { ImageInfo } from '../../docker/images.ts'
import { AgentError, ContentError, DockerRefusedError } from '../../errors.ts'
import type { ContainerRequest } from '../../request/job-request.ts'
import type { ArchiveEntry } from '../../tar/pack.ts'
import type { RunOptions, Variable } from '../executor.ts'
import { explainExecFailure } from './exec-failure.ts'
import type { ContainerPlan, JobObjects } from './job-objects.ts'
import { MainContainer } from './main-container.ts'
import { planMain, planService } from './plans.ts'
import { giveFiles } from './preset-files.ts'
import type { Service } from './services/service.ts'
import { awaitReady, watchService } from './services/services.ts'
import { findSocketGroups } from './socket-group.ts'
import type { Owner, Staging } from './staging.ts'

/** What the agent's flags decide. */
export interface StartOptions {
  /** Path of the engine's socket, mounted into the main container. */
  readonly socketPath: string
  /** Files and directories of the host for the main container. */
  readonly hostFiles: readonly Mount[]
  /** Whether a missing one fails the job; else it is skipped with a warning. */
  readonly failOnMissingFiles: boolean
  readonly exposeKvmDevice: boolean
  /** For each service to be ready, from its start. Default 60,000. */
  readonly serviceStartTimeoutMs: number
  /** A text without the job's secrets, for what is cut before it comes into the log. */
  readonly mask: (text: string) => string
}

export interface StartRequest extends StartOptions, RunOptions {
  readonly docker: DockerClient
  readonly objects: JobObjects
  readonly staging: Staging
  /** Resolves when the job's network is there. */
  readonly network: Promise<void>
  readonly containers: readonly ContainerRequest[]
  readonly images: ReadonlyMap<string, ImageInfo>
  readonly directives: readonly string[]
  readonly exports: readonly (readonly Variable[])[]
}

export interface Started {
  readonly exitCode: number
  readonly main: MainContainer | undefined
}

const SOCKET_IN_CONTAINER = '/var/run/docker.sock'

const KVM_DEVICE = '/dev/kvm'

/**
 * Resolves when the job's shell and every service are ready.
 *
 * @returns exit code: 1 when the main container has no shell; the reason is in the output
 * @throws {AgentError} for everything else that fails
 */
export async function startContainers(request: StartRequest): Promise<Started> {
  const { docker, signal, onOutput, containers, images, network } = request
  await onOutput('Starting a new bash session.\n')
  const mounts = await existingMounts(request)
  if (mounts === undefined) return { exitCode: 1, main: undefined }
  const [mainRequest, ...serviceRequests] = containers
  if (mainRequest === undefined) throw new RangeError('a job in containers has a main container')

  // An engine looks for the network only when it starts a container.
  const [, main, services] = await settleTuple(
    network,
    createMain(request, mainRequest, mounts),
    settleAll(
      serviceRequests.map(async (service): Promise<Service> => {
        const id = await createContainer(request, service, planService(service))
        const { healthCheck, exposedPorts = [], platform = '' } = images.get(service.image) ?? {}
        return { name: service.name, id, healthCheck, ports: exposedPorts, platform }
      }),
    ),
  )
  signal.throwIfAborted()
  await settleAll(services.map(({ id, name }) => startContainer(docker, id, name)))
  signal.throwIfAborted()

  const exitCode = await openWhileWaiting(request, main, services)
  return { exitCode, main }
}

/** What the engine has to say against it is for the job's author to know. */
async function createContainer(
  { docker, objects, signal, onOutput }: StartRequest,
  container: ContainerRequest,
  plan: ContainerPlan,
): Promise<string> {
  const { name } = container
  const { id, warnings } = await objects.createContainer(name, plan)
  for (const warning of warnings) {
    await onOutput(`The engine warns about container "${name}": ${warning}\n`)
  }
  await giveFiles(docker, id, container, { signal, onOutput })
  return id
}

async function createMain(
  request: StartRequest,
  container: ContainerRequest,
  mounts: readonly Mount[],
): Promise<MainContainer> {
  const { docker, staging, images, directives, exports, socketPath, signal } = request
  const devices = request.exposeKvmDevice && existsSync(KVM_DEVICE) ? [KVM_DEVICE] : []
  const image = images.get(container.image)
  const user = container.user || image?.user || ''
  const plan = planMain(container, {
    startPath: staging.startPath,
    entrypoint: image?.entrypoint,
    mounts,
    groups: await findSocketGroups(docker, socketPath, user, signal),
    devices,
  })
  const id = await createContainer(request, container, plan)
  const main = new MainContainer(docker, { id, role: container.name }, staging)
  const owner = guessOwner(user)
  await main.write([
    ...staging.boot(owner ?? { uid: 0, gid: 0 }, directives.length),
    ...directives.map((directive) => staging.directive(directive)),
    ...(owner === undefined ? [] : stageExports(staging, exports, owner)),
  ])
  return main
}

function stageExports(
  staging: Staging,
  exports: StartRequest['exports'],
  owner: Owner,
): ArchiveEntry[] {
  const entries = exports.flatMap((variables) => {
    try {
      return staging.exports(variables, owner)
    } catch (error) {
      if (error instanceof ContentError) return [] // reported when they are exported
      throw error
    }
  })
  return [staging.environmentFile(owner), ...entries]
}

/** Opens the shell and waits for the services meanwhile; the first failure ends the others. */
async function openWhileWaiting(
  request: StartRequest,
  main: MainContainer,
  services: readonly Service[],
): Promise<number> {
  const { docker, signal, onOutput, mask, serviceStartTimeoutMs } = request
  const failed = new AbortController()
  using either = new LinkedAbort(signal, failed.signal)
  using ready = new LinkedAbort(either.signal)
  const together = { signal: either.signal, onOutput }
  const guard = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      failed.abort(error)
      throw error
    }
  }
  let exitCode = 0
  const opened = guard(openShell(request, main, together)).then((code) => {
    exitCode = code
    if (code !== 0) failed.abort(new Error('there is no shell to wait for services with'))
  })
  const watched = { onOutput, signal: ready.signal }
  const watches = Promise.allSettled(
    services.map((service) => guard(watchService(docker, service, watched))),
  )
  const waiting = { ...together, mask, mainId: main.id, timeoutMs: serviceStartTimeoutMs }
  const waits = services.map((service) => guard(awaitReady(docker, service, waiting)))
  await Promise.allSettled([opened, ...waits])
  ready.abort()
  await watches
  if (failed.signal.aborted && exitCode === 0) throw failed.signal.reason
  return exitCode
}

async function openShell(
  { docker, containers, images }: StartRequest,
  main: MainContainer,
  options: RunOptions,
): Promise<number> {
  try {
    await main.open(options)
    return 0
  } catch (error) {
    options.signal.throwIfAborted()
    if (!(error instanceof AgentError) || error.code === 'ERR_DOCKER_UNREACHABLE') throw error
    const { platform = '' } = images.get(containers[0]?.image ?? '') ?? {}
    const advice = await explainExecFailure(docker, error.message, platform, options.signal)
    const reason = `${describeStartFailure(error, advice)} [${error.code}]`
    await options.onOutput('Failed to start the docker image\n')
    await options.onOutput(`${reason}\n`)
    return 1
  }
}

/** One line, whatever the engine or the image had to say. */
function describeStartFailure(error: AgentError, advice: string | undefined): string {
  const isRefusal = error instanceof DockerRefusedError
  const problem = isRefusal ? error.reason : error.message
  const hint = advice ?? (isRefusal ? '' : error.hint)
  const reason = hint === '' ? problem : `${problem.trim().replace(/\.?$/, '.')} ${hint}`
  const oneLine = reason.trim().replace(/\s*[\r\n]+\s*/g, '; ')
  return /"bash": (executable file not found|stat )/.test(oneLine)
    ? `The image has no bash on its PATH, which the job's commands need: install it in the image (${oneLine})`
    : oneLine
}

/** The user's ids, where they are known without asking the image. A wrong guess costs a round trip. */
function guessOwner(user: string): Owner | undefined {
  if (user === '' || user === 'root') return { uid: 0, gid: 0 }
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(user) ?? []
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid ?? 0) }
}

/** @returns undefined when some are missing that must not be */
async function existingMounts({
  hostFiles,
  failOnMissingFiles,
  socketPath,
  onOutput,
}: StartRequest): Promise<readonly Mount[] | undefined> {
  const existing = hostFiles.filter(({ source }) => existsSync(source))
  const missing = hostFiles.filter((mount) => !existing.includes(mount))
  for (const { source } of missing) {
    await onOutput(
      failOnMissingFiles
        ? `The host has no ${source}, which --files names.\n`
        : `Skipping ${source}: the host has no such file.\n`,
    )
  }
  if (failOnMissingFiles && missing.length > 0) return undefined
  return [{ source: socketPath, target: SOCKET_IN_CONTAINER }, ...existing]
}

/** {@link settleAll} for results of different types. */
async function settleTuple<A, B, C>(
  a: Promise<A>,
  b: Promise<B>,
  c: Promise<C>,
): Promise<[A, B, C]> {
  await settleAll<unknown>([a, b, c])
  return [await a, await b, await c]
}
