/**
 * What a job's programs ask of the agent, put together from the lines they write. Pure.
 *
 * A line is `ID ~` (it begins, perhaps again), `ID +PART` (more to come), `ID .PART` (the last) or
 * `ID !` (nobody waits any more). The parts make up the fields, each ended by a tab, with tabs, newlines and percent signs escaped.
 *
 * @module
 */

import { type ByteString, bytes, mapBytes } from '../files/byte-string.ts'

export interface ToolboxRequest {
  readonly id: string
  /** The asking shell's. */
  readonly directory: ByteString
  /** As the client says: proven nowhere. */
  readonly uid: number
  readonly gid: number
  readonly command: ByteString
  readonly args: readonly ByteString[]
  /** Those that are not empty. */
  readonly variables: Readonly<Record<string, ByteString>>
}

export type Message =
  | { readonly type: 'request'; readonly request: ToolboxRequest }
  | { readonly type: 'cancel'; readonly id: string }

/** Paths and keys; a job that sends more than this is not asking for anything. */
const MAX_REQUEST_CHARACTERS = 262_144

/** Of all requests whose end has not come. Then the oldest go: who still waits for one asks again. */
const MAX_OPEN_CHARACTERS = 4_194_304

/** Arguments and variables of one. */
const MAX_FIELDS = 1_000

/** Puts the requests of one client together; how many characters it holds is bounded. */
export class RequestReader {
  readonly #open = new Map<string, ByteString>()
  #openCharacters = 0

  /** @returns what this line completes; one that is no sentence of ours is skipped */
  take(line: ByteString): Message | undefined {
    const [head = '', id, sign] = /^(\d{1,20}-\d{1,20}) ([!+.~])/.exec(line) ?? []
    if (id === undefined) return undefined
    const text = bytes`${this.#remove(id)}${line.slice(head.length)}`
    if (sign === '~') return undefined
    if (sign === '!') return { type: 'cancel', id }
    if (text.length > MAX_REQUEST_CHARACTERS) return undefined
    if (sign === '.') return parseRequest(id, text)
    this.#open.set(id, text)
    this.#openCharacters += id.length + text.length
    for (const oldest of this.#open.keys()) {
      if (this.#openCharacters <= MAX_OPEN_CHARACTERS) break
      this.#remove(oldest)
    }
    return undefined
  }

  #remove(id: string): ByteString {
    const text = this.#open.get(id)
    if (text === undefined) return bytes``
    this.#open.delete(id)
    this.#openCharacters -= id.length + text.length
    return text
  }
}

function parseRequest(id: string, text: ByteString): Message | undefined {
  const [directory, uid, gid, count, ...fields] = text
    .split('\t', MAX_FIELDS)
    .slice(0, -1)
    .map(unescapeField)
  const argv = fields.slice(0, Number(count))
  const [command, ...args] = argv
  if (directory === undefined || command === undefined) return undefined
  const variables = fields.slice(argv.length).map((field) => {
    const at = field.indexOf('=')
    return [field.slice(0, at), field.slice(at + 1)] as const
  })
  const request = {
    id,
    directory,
    uid: Number(uid),
    gid: Number(gid),
    command,
    args,
    variables: Object.fromEntries(variables.filter(([, value]) => value !== '')),
  }
  return { type: 'request', request }
}

const ESCAPES: Readonly<Record<string, string>> = { '%25': '%', '%0A': '\n', '%09': '\t' }

function unescapeField(field: ByteString): ByteString {
  return mapBytes(field, (it) => it.replace(/%25|%0A|%09/g, (code) => ESCAPES[code] ?? code))
}
