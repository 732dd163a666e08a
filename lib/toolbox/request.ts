/**
 * What a job's programs ask of the agent, put together from the lines they write. Pure.
 *
 * A line is `ID ~` (it begins, perhaps anew), `ID +PART` (more to come), `ID .PART` (the last) or
 * `ID !` (nobody waits any more). The parts make up the fields, each ended by a tab, with tabs, newlines and percent signs escaped.
 *
 * @module
 */

/** Texts are latin1: one character a byte, whatever the job's names hold. */
export interface ToolboxRequest {
  readonly id: string
  /** The asking shell's. */
  readonly directory: string
  readonly uid: number
  readonly gid: number
  readonly command: string
  readonly args: readonly string[]
  /** Those that are not empty. */
  readonly variables: Readonly<Record<string, string>>
}

export type Message =
  | { readonly type: 'request'; readonly request: ToolboxRequest }
  | { readonly type: 'cancel'; readonly id: string }

/** Paths and keys; a job that sends more than this is not asking for anything. */
const MAX_REQUEST_CHARACTERS = 1_000_000

/** Requests whose end never came: their shells were killed in the middle of a sentence. */
const MAX_OPEN_REQUESTS = 1_000

export class RequestReader {
  readonly #open = new Map<string, string>()
  #rest = ''

  /** @returns what these bytes complete; lines that are no sentence of ours are skipped */
  push(chunk: Uint8Array): Message[] {
    const lines = (this.#rest + Buffer.from(chunk).toString('latin1')).split('\n')
    this.#rest = (lines.pop() ?? '').slice(0, MAX_REQUEST_CHARACTERS)
    return lines.flatMap((line) => this.#line(line) ?? [])
  }

  #line(line: string): Message | undefined {
    const [, id, sign, part = ''] = /^(\d+-\d+) ([!+.~])(.*)$/s.exec(line) ?? []
    if (id === undefined) return undefined
    const text = (this.#open.get(id) ?? '') + part
    this.#open.delete(id)
    if (sign === '~') return undefined
    if (sign === '!') return { type: 'cancel', id }
    if (sign === '.') return parseRequest(id, text)
    if (text.length <= MAX_REQUEST_CHARACTERS && this.#open.size < MAX_OPEN_REQUESTS) {
      this.#open.set(id, text)
    }
    return undefined
  }
}

function parseRequest(id: string, text: string): Message | undefined {
  const [directory, uid, gid, count, ...fields] = text.split('\t').slice(0, -1).map(unescapeField)
  const words = fields.slice(0, Number(count))
  const [command, ...args] = words
  if (directory === undefined || command === undefined) return undefined
  const variables = fields.slice(words.length).map((field) => {
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

function unescapeField(field: string): string {
  return field.replace(/%25|%0A|%09/g, (code) => ESCAPES[code] ?? code)
}
