/**
 * JSON from outside: what would keep the only thread busy is refused before it is parsed.
 *
 * @module
 */

import { isUtf8 } from 'node:buffer'
import { RequestError } from '../errors.ts'

/** Of all objects and lists together. A job of 10,000 commands has some 30,000. */
const MAX_VALUES = 200_000

/** A job has five levels. */
const MAX_DEPTH = 64

/** Between two chances to be interrupted. */
const BYTES_AT_ONCE = 256 * 1024

const BYTE_ORDER_MARK = '\ufeff'

/**
 * Yields where it can be interrupted.
 *
 * @throws {RequestError} when it is not JSON, or too much of it
 */
export function* parseJson(bytes: Buffer): Generator<void, unknown, undefined> {
  yield* checkSize(bytes)
  if (!isUtf8(bytes)) throw refusal('expected JSON: not UTF-8')
  const text = bytes.toString('utf8')
  yield
  try {
    return JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text)
  } catch (error) {
    throw refusal(`expected JSON: ${withoutExcerpt((error as SyntaxError).message)}`)
  }
}

/** Many values take far more time than many bytes. */
function* checkSize(bytes: Buffer): Generator<void, void, undefined> {
  const size = new SizeCount()
  for (let at = 0; at < bytes.length; at += BYTES_AT_ONCE) {
    size.count(bytes.subarray(at, at + BYTES_AT_ONCE))
    if (size.deepest > MAX_DEPTH) throw refusal(`expected at most ${MAX_DEPTH} levels, got more`)
    if (size.values > MAX_VALUES) throw refusal(`expected at most ${MAX_VALUES} values, got more`)
    yield
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** What a byte outside strings adds to the values there are, and to the depth. */
const VALUES = new Int8Array(256)
const DEPTH = new Int8Array(256)
for (const byte of Buffer.from(',[{')) VALUES[byte] = 1
for (const byte of Buffer.from('[{')) DEPTH[byte] = 1
for (const byte of Buffer.from(']}')) DEPTH[byte] = -1

class SizeCount {
  values = 1
  deepest = 0
  #depth = 0
  #isInString = false
  #isEscaped = false

  /** @param part of a text; the next one continues it */
  count(part: Uint8Array): void {
    // Locals: several times as fast as fields.
    let isInString = this.#isInString
    let isEscaped = this.#isEscaped
    for (let at = 0; at < part.length; at++) {
      const byte = part[at] ?? 0
      if (isEscaped) isEscaped = false
      else if (isInString) {
        isEscaped = byte === BACKSLASH
        isInString = byte !== QUOTE
      } else if (byte === QUOTE) isInString = true
      else {
        this.values += VALUES[byte] ?? 0
        this.#depth += DEPTH[byte] ?? 0
        if (this.#depth > this.deepest) this.deepest = this.#depth
      }
    }
    this.#isInString = isInString
    this.#isEscaped = isEscaped
  }
}

function refusal(message: string): RequestError {
  return new RequestError([{ path: '', message }])
}

/** V8 quotes the text around a mistake, which may be a secret. */
function withoutExcerpt(message: string): string {
  return message.replace(/, (\.\.\.)?".*$/s, '')
}
