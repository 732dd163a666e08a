/**
 * Takes the JSON body of a request, within limits.
 *
 * @module
 */

import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { parseJson } from '../request/json.ts'
import { inSlices } from '../slices.ts'

/** All bodies that are on their way at one time may take this many times the limit of one. */
const BODIES_AT_ONCE = 4

export class BodyReader {
  readonly #maxBytes: number
  /** Bytes of bodies that are not complete yet, of all requests. */
  #held = 0

  /** @param maxBytes of one body */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * Whatever content type the client claims: many claim none.
   *
   * @throws {HTTPException} 413 too large, 503 too many at once, 400 when the client went away
   * @throws {RequestError} when it is not JSON, or too much of it
   */
  async readJson(c: Context): Promise<unknown> {
    return await inSlices(parseJson(await this.#read(c)))
  }

  async #read(c: Context): Promise<Buffer> {
    const announced = Number(c.req.header('content-length') ?? 0)
    if (announced > this.#maxBytes) throw this.#tooLarge()
    const { body } = c.req.raw
    if (body === null) return Buffer.alloc(0)
    let buffer: Buffer = Buffer.alloc(0)
    let bytes = 0
    try {
      for await (const part of body) {
        bytes += part.length
        this.#held += part.length
        if (bytes > this.#maxBytes) throw this.#tooLarge()
        if (this.#held > this.#maxBytes * BODIES_AT_ONCE) throw tooMany()
        buffer = append(buffer, bytes - part.length, part)
      }
    } catch (error) {
      if (error instanceof HTTPException) throw error
      throw new HTTPException(400, { message: 'The body ended early', cause: error })
    } finally {
      this.#held -= bytes
    }
    return buffer.subarray(0, bytes)
  }

  #tooLarge(): HTTPException {
    return new HTTPException(413, {
      message: `The body is larger than the ${this.#maxBytes} bytes this agent accepts`,
    })
  }
}

/** Copies: a body of a million parts must not become a million objects. */
function append(buffer: Buffer, used: number, part: Uint8Array): Buffer {
  let target = buffer
  if (used + part.length > buffer.length) {
    target = Buffer.allocUnsafe(Math.max(2 * buffer.length, used + part.length))
    buffer.copy(target, 0, 0, used)
  }
  target.set(part, used)
  return target
}

function tooMany(): HTTPException {
  return new HTTPException(503, { message: 'Too many large requests at once: try again' })
}
