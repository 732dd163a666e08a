/**
 * Sees to it that every image of a job is there: asks for all at once, pulls what has to be pulled,
 * all at once.
 *
 * @module
 */

import { LinkedAbort } from '../../../async/abort.ts'
import { settleAll } from '../../../async/settle-all.ts'
import type { Waits } from '../../../async/waits.ts'
import type { DockerClient } from '../../../docker/client.ts'
import {
  type ImageInfo,
  inspectImage,
  pullImage,
  type RegistryLogin,
} from '../../../docker/images.ts'
import { isSamePlatform } from '../../../docker/platform.ts'
import { type ImageReference, parseReference } from '../../../docker/reference.ts'
import { ImagePullError } from '../../../errors.ts'
import type { PullPolicy } from '../../../request/job-request.ts'
import type { RunOptions } from '../../executor.ts'
import { retryTransient } from '../retry-transient.ts'
import { PullProgress } from './pull-progress.ts'
import { pullShared } from './shared-pulls.ts'
import { StallWatch } from './stall-watch.ts'

export interface WantedImage {
  /** As the request names it. */
  readonly image: string
  readonly pullPolicy: PullPolicy
  /** The same for all containers with that image; absent = whatever it is for. */
  readonly platform?: string | undefined
}

/** A wanted image as the engine knows it; what several containers require of it is merged. */
interface ImageRequirement extends Omit<WantedImage, 'image'> {
  readonly reference: ImageReference
}

/** How a pull went, for whoever counts them. */
export interface PullReport {
  readonly image: string
  readonly durationMs: number
  readonly passed: boolean
}

export interface PullOptions extends RunOptions {
  readonly logins: readonly RegistryLogin[]
  /** Without a word from the engine, a pull fails after this. */
  readonly stallTimeoutMs: number
  readonly waits?: Waits | undefined
  readonly onPulled?: ((report: PullReport) => void) | undefined
}

/** Times the stall limit: others' images are fetched meanwhile, and those have limits as well. */
const QUEUE_PATIENCE = 12

/** Of two containers with one image, the one that asks for more counts. */
const POLICY_PRECEDENCE: readonly PullPolicy[] = ['never', 'if-not-present', 'always']

/**
 * @param images in any order; one that several containers want is pulled once
 * @returns what is known of each, by its name in the request
 * @throws {ContentError} for a name that is no reference
 * @throws {DockerRefusedError | ImagePullError} for an image that is not to be had
 */
export async function ensureImages(
  docker: DockerClient,
  images: readonly WantedImage[],
  options: PullOptions,
): Promise<ReadonlyMap<string, ImageInfo>> {
  const requirements = mergeRequirements(images)
  const { signal } = options
  const infos = await settleAll(
    requirements.map((requirement) => inspectWanted(docker, requirement, signal)),
  )
  const toPull = requirements.filter(({ reference, pullPolicy, platform }, i) => {
    if (infos[i] === undefined && pullPolicy === 'never') throw forbidden(reference, platform)
    return infos[i] === undefined || pullPolicy === 'always'
  })
  await pullTogether(docker, toPull, options)
  const pulled = await settleAll(
    toPull.map((requirement) => inspectPulled(docker, requirement, signal)),
  )
  const byName = new Map<string, ImageInfo>()
  for (const [i, { reference }] of requirements.entries()) {
    const info = infos[i]
    if (info !== undefined) byName.set(reference.text, info)
  }
  for (const [text, info] of pulled) byName.set(text, info)
  return byName
}

function mergeRequirements(images: readonly WantedImage[]): readonly ImageRequirement[] {
  const requirements = new Map<string, ImageRequirement>()
  for (const { image, pullPolicy, platform } of images) {
    const other = requirements.get(image)
    const policies: readonly PullPolicy[] = [pullPolicy, other?.pullPolicy ?? 'never']
    requirements.set(image, {
      reference: other?.reference ?? parseReference(image),
      pullPolicy: POLICY_PRECEDENCE.findLast((policy) => policies.includes(policy)) ?? pullPolicy,
      platform: platform ?? other?.platform,
    })
  }
  return [...requirements.values()]
}

/** @returns undefined also when the one that is here is for another platform */
async function inspectWanted(
  docker: DockerClient,
  { reference, platform }: ImageRequirement,
  signal: AbortSignal,
): Promise<ImageInfo | undefined> {
  const info = await inspectImage(docker, reference, signal)
  if (info === undefined || platform === undefined) return info
  return isSamePlatform(platform, info.platform) ? info : undefined
}

/** The first that fails ends the others: the job cannot run without it. */
async function pullTogether(
  docker: DockerClient,
  requirements: readonly ImageRequirement[],
  options: PullOptions,
): Promise<void> {
  using failed = new LinkedAbort(options.signal)
  await settleAll(
    requirements.map(async (requirement) => {
      try {
        await pull(docker, requirement, { ...options, signal: failed.signal })
      } catch (error) {
        failed.abort(error)
        throw error
      }
    }),
  )
}

async function pull(
  docker: DockerClient,
  requirement: ImageRequirement,
  options: PullOptions,
): Promise<void> {
  const { reference, platform = '' } = requirement
  const { signal, onOutput, logins } = options
  const startedAt = performance.now()
  const isOwn = await pullShared({
    key: JSON.stringify([
      docker.socketPath,
      reference.text,
      platform,
      chooseLogin(logins, reference),
    ]),
    signal,
    pull: () => pullOwn(docker, requirement, options),
    onWait: () => onOutput(`Waiting for ${reference.text}, which another job pulls\n`),
  })
  if (isOwn) return
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  await onOutput(`${reference.text}: pulled by another job, after ${seconds} s\n`)
}

async function pullOwn(
  docker: DockerClient,
  requirement: ImageRequirement,
  options: PullOptions,
): Promise<void> {
  const { reference } = requirement
  const { signal, waits, onOutput, onPulled } = options
  const startedAt = performance.now()
  const progress = new PullProgress(reference.text, startedAt)
  using _ = waits?.begin(() => progress.describeNow(performance.now()))
  let passed = false
  try {
    await onOutput(progress.first)
    await retryTransient(() => pullOnce(docker, requirement, progress, options), options)
    await onOutput(progress.end(performance.now()))
    passed = true
  } finally {
    const durationMs = performance.now() - startedAt
    if (!signal.aborted) onPulled?.({ image: reference.text, durationMs, passed })
  }
}

async function pullOnce(
  docker: DockerClient,
  { reference, platform }: ImageRequirement,
  progress: PullProgress,
  { logins, signal, stallTimeoutMs, onOutput }: PullOptions,
): Promise<void> {
  const login = chooseLogin(logins, reference)
  const watch = new StallWatch((limitMs) => stalled(reference, limitMs))
  try {
    using either = new LinkedAbort(signal, watch.signal)
    const options = { login, platform, signal: either.signal }
    watch.start(stallTimeoutMs)
    for await (const message of pullImage(docker, reference, options)) {
      watch.stop() // a log that is slow to take a line is not the registry's fault
      const line = progress.push(message, performance.now())
      if (line !== '') await onOutput(line)
      watch.start(progress.isQueued ? stallTimeoutMs * QUEUE_PATIENCE : stallTimeoutMs)
    }
  } finally {
    watch.stop()
  }
}

/**
 * Of several for the image's registry the one whose path is most of the image's; else the last one,
 * as with `docker login`.
 */
function chooseLogin(
  logins: readonly RegistryLogin[],
  { registry, path }: ImageReference,
): RegistryLogin | undefined {
  const closeness = (login: RegistryLogin) =>
    login.path === '' || `${path}/`.startsWith(`${login.path}/`) ? login.path.length : -1
  return logins
    .filter((login) => login.registry === registry)
    .toSorted((a, b) => closeness(a) - closeness(b))
    .at(-1)
}

function stalled({ text, registry }: ImageReference, timeoutMs: number): ImagePullError {
  const seconds = timeoutMs / 1_000
  return new ImagePullError(
    `Image "${text}" could not be pulled: no data came from ${registry} for ${seconds} s`,
    {
      hint: 'Check the registry and the network; --pull-stall-timeout allows it more time.',
    },
  )
}

function forbidden({ text }: ImageReference, platform: string | undefined): ImagePullError {
  const kind = platform === undefined ? '' : ` for ${platform}`
  return new ImagePullError(
    `Image "${text}"${kind} is not on this host, and its pull_policy "never" forbids pulling it`,
    { hint: 'Pull or build it on this host first, or use the pull_policy "if-not-present".' },
  )
}

async function inspectPulled(
  docker: DockerClient,
  { reference: { text }, reference, platform }: ImageRequirement,
  signal: AbortSignal,
): Promise<[string, ImageInfo]> {
  const info = await inspectImage(docker, reference, signal)
  if (info === undefined) {
    throw new ImagePullError(`Image "${text}" disappeared right after it was pulled`, {
      hint: 'Something removed the image in the meantime: run the job again.',
    })
  }
  if (platform !== undefined && !isSamePlatform(platform, info.platform)) {
    throw new ImagePullError(`Image "${text}" is available for ${info.platform}, not ${platform}`, {
      hint: 'Check the platform of the container in the job, or build the image for it.',
    })
  }
  return [text, info]
}
