/**
 * Sees to it that every image of a job is there: asks for all at once, pulls what has to be pulled,
 * all at once.
 *
 * @module
 */

import type { DockerClient } from '../../docker/client.ts'
import { type ImageInfo, inspectImage, pullImage, type RegistryLogin } from '../../docker/images.ts'
import { type ImageReference, parseReference } from '../../docker/reference.ts'
import { ImagePullError } from '../../errors.ts'
import type { PullPolicy } from '../../request/job-request.ts'
import type { RunOptions } from '../executor.ts'
import { PullProgress } from './pull-progress.ts'
import { retryPassing } from './retry.ts'
import { settleAll } from './settle.ts'
import { StallWatch } from './stall-watch.ts'

export interface WantedImage {
  /** As the request names it. */
  readonly image: string
  readonly pullPolicy: PullPolicy
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
  readonly onPulled?: ((report: PullReport) => void) | undefined
}

/** Of two containers with one image, the one that asks for more counts. */
const BY_EAGERNESS: readonly PullPolicy[] = ['never', 'if-not-present', 'always']

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
  const policies = mergePolicies(images)
  const references = [...policies.keys()].map(parseReference)
  const policyOf = ({ text }: ImageReference) => policies.get(text) ?? 'if-not-present'
  const { signal, onOutput } = options
  const infos = await settleAll(
    references.map((reference) => inspectImage(docker, reference, signal)),
  )
  const toPull = references.filter((reference, i) => {
    const policy = policyOf(reference)
    if (infos[i] === undefined && policy === 'never') throw forbidden(reference)
    return infos[i] === undefined || policy === 'always'
  })
  if (toPull.length === 0) await onOutput(Buffer.from('All images are here already.\n'))

  await pullTogether(docker, toPull, options)
  const pulled = await settleAll(
    toPull.map((reference) => inspectPulled(docker, reference, signal)),
  )
  const byName = new Map<string, ImageInfo>()
  for (const [i, { text }] of references.entries()) {
    const info = infos[i]
    if (info !== undefined) byName.set(text, info)
  }
  for (const [text, info] of pulled) byName.set(text, info)
  return byName
}

function mergePolicies(images: readonly WantedImage[]): ReadonlyMap<string, PullPolicy> {
  const policies = new Map<string, PullPolicy>()
  for (const { image, pullPolicy } of images) {
    const other = policies.get(image) ?? 'never'
    const isMore = BY_EAGERNESS.indexOf(pullPolicy) > BY_EAGERNESS.indexOf(other)
    policies.set(image, isMore ? pullPolicy : other)
  }
  return policies
}

/** The first that fails ends the others: the job cannot run without it. */
async function pullTogether(
  docker: DockerClient,
  references: readonly ImageReference[],
  options: PullOptions,
): Promise<void> {
  const failed = new AbortController()
  const together = AbortSignal.any([options.signal, failed.signal])
  await settleAll(
    references.map(async (reference) => {
      try {
        await pull(docker, reference, { ...options, signal: together })
      } catch (error) {
        failed.abort(error)
        throw error
      }
    }),
  )
}

async function pull(
  docker: DockerClient,
  reference: ImageReference,
  options: PullOptions,
): Promise<void> {
  const { signal, onOutput, onPulled } = options
  const startedAt = performance.now()
  const progress = new PullProgress(reference.text, startedAt)
  let passed = false
  try {
    await onOutput(Buffer.from(progress.first))
    await retryPassing(() => pullOnce(docker, reference, progress, options), options)
    await onOutput(Buffer.from(progress.end(performance.now())))
    passed = true
  } finally {
    const durationMs = performance.now() - startedAt
    if (!signal.aborted) onPulled?.({ image: reference.text, durationMs, passed })
  }
}

async function pullOnce(
  docker: DockerClient,
  reference: ImageReference,
  progress: PullProgress,
  { logins, signal, stallTimeoutMs, onOutput }: PullOptions,
): Promise<void> {
  // Of two for one registry the later one counts, as with `docker login`.
  const login = logins.findLast(({ registry }) => registry === reference.registry)
  const watch = new StallWatch(stallTimeoutMs, () => stalled(reference, stallTimeoutMs))
  try {
    const options = { login, signal: AbortSignal.any([signal, watch.signal]) }
    watch.start()
    for await (const message of pullImage(docker, reference, options)) {
      watch.stop() // a log that is slow to take a line is not the registry's fault
      const line = progress.push(message, performance.now())
      if (line !== '') await onOutput(Buffer.from(line))
      watch.start()
    }
  } finally {
    watch.stop()
  }
}

function stalled({ text, registry }: ImageReference, timeoutMs: number): ImagePullError {
  const seconds = timeoutMs / 1_000
  return new ImagePullError(
    `Image "${text}" could not be pulled: nothing came from ${registry} for ${seconds} s`,
    {
      hint: 'Check the registry and the network between; --pull-stall-timeout allows it more time.',
    },
  )
}

function forbidden({ text }: ImageReference): ImagePullError {
  return new ImagePullError(
    `Image "${text}" is not on this host, and its pull_policy "never" forbids to pull it`,
    { hint: 'Pull or build it on this host first, or use the pull_policy "if-not-present".' },
  )
}

async function inspectPulled(
  docker: DockerClient,
  reference: ImageReference,
  signal: AbortSignal,
): Promise<[string, ImageInfo]> {
  const info = await inspectImage(docker, reference, signal)
  if (info !== undefined) return [reference.text, info]
  throw new ImagePullError(`Image "${reference.text}" is gone again, right after its pull`, {
    hint: 'Something removes images on this host meanwhile: run the job again.',
  })
}
