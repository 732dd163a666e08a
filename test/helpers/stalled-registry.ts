/** An image registry that begins to send a layer and never ends. */

import { createHash } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface StalledRegistry {
  /** Of the one image it has. */
  readonly image: string
  /** Resolves when somebody has got half a layer. */
  readonly halfSent: Promise<void>
  close(): Promise<void>
}

const LAYER_BYTES = 1_000_000

export async function startStalledRegistry(): Promise<StalledRegistry> {
  const layer = Buffer.alloc(LAYER_BYTES, 1)
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [digest(layer)] },
    }),
  )
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: { mediaType: 'application/vnd.docker.container.image.v1+json', ...describe(config) },
      layers: [
        { mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', ...describe(layer) },
      ],
    }),
  )
  const halfSent = Promise.withResolvers<void>()
  const stall = (response: ServerResponse) => {
    response.writeHead(200, { 'content-length': layer.length })
    response.write(layer.subarray(0, layer.length / 2), () => halfSent.resolve())
  }
  const server = createServer(({ url = '', method }, response) => {
    if (url.includes('/manifests/')) {
      const headers = {
        'content-type': MANIFEST_TYPE,
        'content-length': manifest.length,
        'docker-content-digest': digest(manifest),
      }
      response.writeHead(200, headers).end(method === 'HEAD' ? undefined : manifest)
    } else if (url.endsWith(digest(config))) response.end(config)
    else if (url.endsWith(digest(layer))) stall(response)
    else response.writeHead(200, { 'docker-distribution-api-version': 'registry/2.0' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    image: `127.0.0.1:${(server.address() as AddressInfo).port}/stalled:1`,
    halfSent: halfSent.promise,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const MANIFEST_TYPE = 'application/vnd.docker.distribution.manifest.v2+json'

function describe(content: Buffer): { size: number; digest: string } {
  return { size: content.length, digest: digest(content) }
}

function digest(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}
