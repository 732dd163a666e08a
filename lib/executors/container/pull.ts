/**
 * Sees to it that every image of a job is there: asks for all at once, pulls what is missing, all
 * at once.
 *
 * @module
 */

import type { DockerClient } from '../../docker/client.ts'
import { type ImageInfo, inspectImage, pullImage, type RegistryLogin } from '../../docker/images.ts'
import { type ImageReference, parseReference } from '../../docker/reference.ts'
import { ImagePullError } from '../../errors.ts'
import type { RunOptions } from '../executor.ts'
import { PullProgress } from './pull-progress.ts'
import { settleAll } from './settle.ts'

/** How a pull went, for whoever counts them. */
export interface PullReport {
  readonly image: string
  readonly durationMs: number
  readonly passed: boolean
}

export interface PullOptions extends RunOptions {
  readonly logins: readonly RegistryLogin[]
  readonly onPulled?: ((report: PullReport) => void) | undefined
}

/**
 * @param images as the request names them; repeated ones are pulled once
 * @returns what is known of each, by that name
 * @throws {ContentError} for a name that is no reference
 * @throws {DockerRefusedError | ImagePullError} for an image that is not to be had
 */
export async function ensureImages(
  docker: DockerClient,
  images: readonly string[],
  options: PullOptions,
): Promise<ReadonlyMap<string, ImageInfo>> {
  const references = [...new Set(images)].map(parseReference)
  const { signal, onOutput } = options
  const infos = await settleAll(
    references.map((reference) => inspectImage(docker, reference, signal)),
  )
  const missing = references.filter((_, i) => infos[i] === undefined)
  if (missing.length === 0) await onOutput(Buffer.from('All images are here already.\n'))

  // The first that fails ends the others: the job cannot run without it.
  const failed = new AbortController()
  const together = AbortSignal.any([signal, failed.signal])
  await settleAll(
    missing.map(async (reference) => {
      try {
        await pull(docker, reference, { ...options, signal: together })
      } catch (error) {
        failed.abort(error)
        throw error
      }
    }),
  )
  const pulled = await settleAll(
    missing.map((reference) => inspectPulled(docker, reference, signal)),
  )
  const byName = new Map<string, ImageInfo>()
  for (const [i, { text }] of references.entries()) {
    const info = infos[i]
    if (info !== undefined) byName.set(text, info)
  }
  for (const [text, info] of pulled) byName.set(text, info)
  return byName
}

async function pull(
  docker: DockerClient,
  reference: ImageReference,
  { logins, signal, onOutput, onPulled }: PullOptions,
): Promise<void> {
  const login = logins.find(({ registry }) => registry === reference.registry)
  const startedAt = performance.now()
  const progress = new PullProgress(reference.text, startedAt)
  let passed = false
  try {
    await onOutput(Buffer.from(progress.first))
    for await (const message of pullImage(docker, reference, { login, signal })) {
      const line = progress.push(message, performance.now())
      if (line !== '') await onOutput(Buffer.from(line))
    }
    await onOutput(Buffer.from(progress.end(performance.now())))
    passed = true
  } finally {
    const durationMs = performance.now() - startedAt
    if (!signal.aborted) onPulled?.({ image: reference.text, durationMs, passed })
  }
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
