/** The artifacts of an organization: a signed URL for each path, and what is put there. */

import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Answer, Violations } from './record.ts'

export const ARTIFACT_TOKEN = 'artifact-token-of-the-job'

export class Artifacts {
  /** By path. */
  readonly stored = new Map<string, Buffer>()
  readonly #signed = new Map<string, string>()
  readonly #violations: Violations
  readonly #baseUrl: () => string

  constructor(violations: Violations, baseUrl: () => string) {
    this.#violations = violations
    this.#baseUrl = baseUrl
  }

  sign(authorization: string | undefined, text: string): Answer {
    if (authorization !== ARTIFACT_TOKEN) return { status: 401, text: 'Unauthorized' }
    const { paths, type } = JSON.parse(text) as { paths: string[]; type: number }
    if (type !== 1) return { status: 400, text: 'type' }
    const urls = paths.map((path) => {
      const key = randomBytes(8).toString('hex')
      this.#signed.set(key, path)
      return { url: `${this.#baseUrl()}/upload/${key}?signature=of-that-url`, method: 'PUT' }
    })
    return { status: 200, json: { urls } }
  }

  put(path: string, headers: IncomingHttpHeaders, bytes: Buffer): Answer {
    const name = this.#signed.get(path.split('/').at(-1) ?? '')
    if (name === undefined) return { status: 403, text: 'SignatureDoesNotMatch' }
    if (headers['content-length'] === undefined) {
      this.#violations.add(`${name} is uploaded without a Content-Length`)
      return { status: 411, text: 'MissingContentLength' }
    }
    if (headers.authorization !== undefined) {
      this.#violations.add(`${name} is uploaded with the token of the job`)
    }
    this.stored.set(name, bytes)
    return { status: 200 }
  }
}
