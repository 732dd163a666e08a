/** One name for images of several platforms, as registries have them. */

import { createHash } from 'node:crypto'
import type { Registry } from './registry.ts'
import { pushImage } from './registry-image.ts'

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json'

interface Manifest {
  readonly config: { readonly digest: string; readonly size: number }
}

/**
 * Pushes an image for each architecture, `/tmp/layer` of which is the architecture's name, and a
 * list of them all. Only that for the engine's own can be run.
 *
 * @param repository `team/app:1`
 * @returns the digest of the list
 */
export async function pushIndex(
  registry: Registry,
  repository: string,
  architectures: readonly string[],
  own: string,
): Promise<string> {
  const [path = '', tag = ''] = repository.split(':')
  const manifests: object[] = []
  for (const architecture of architectures) {
    const programs = architecture === own ? {} : { '/bin/bash': foreignProgram() }
    await pushImage(registry, `${path}:${architecture}`, { layer: architecture, programs })
    const descriptor = await relabel(registry, path, architecture)
    manifests.push({ ...descriptor, platform: { os: 'linux', architecture } })
  }
  const list = JSON.stringify({ schemaVersion: 2, mediaType: LIST, manifests })
  await call(registry, 'PUT', `/v2/${path}/manifests/${tag}`, list, LIST)
  return digestOf(list)
}

/** The head of an object file for 64-bit ARM: no kernel runs that, nor does an emulator it may have. */
function foreignProgram(): Buffer {
  const header = Buffer.alloc(64)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeUInt16LE(1, 16)
  header.writeUInt16LE(0xb7, 18)
  return header
}

/** Engines make images for their own architecture: says another one in place of it. */
async function relabel(registry: Registry, path: string, architecture: string): Promise<object> {
  const at = `/v2/${path}/manifests/${architecture}`
  const manifest = (await (await call(registry, 'GET', at)).json()) as Manifest
  const found = await call(registry, 'GET', `/v2/${path}/blobs/${manifest.config.digest}`)
  const config = JSON.stringify({ ...((await found.json()) as object), architecture })
  const digest = await upload(registry, path, config)
  const changed = JSON.stringify({
    ...manifest,
    config: { ...manifest.config, digest, size: config.length },
  })
  await call(registry, 'PUT', at, changed, MANIFEST)
  return { mediaType: MANIFEST, digest: digestOf(changed), size: changed.length }
}

async function upload(registry: Registry, path: string, blob: string): Promise<string> {
  const digest = digestOf(blob)
  const begun = await call(registry, 'POST', `/v2/${path}/blobs/uploads/`)
  const place = new URL(begun.headers.get('location') ?? '', `http://${registry.host}`)
  place.searchParams.set('digest', digest)
  await call(registry, 'PUT', place.href, blob, 'application/octet-stream')
  return digest
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

async function call(
  { host, username, password }: Registry,
  method: string,
  path: string,
  body?: string,
  type = MANIFEST,
): Promise<Response> {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const headers = { authorization, accept: MANIFEST, 'content-type': type }
  const answer = await fetch(new URL(path, `http://${host}`), {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  })
  if (answer.ok) return answer
  throw new Error(`The registry answered ${answer.status} to ${method} ${path}`)
}
