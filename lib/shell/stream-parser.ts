/**
 * Separates the bytes of a shell's terminal into the job's output and the agent's marks.
 * Pure: bytes in, events out, whatever the sizes of the chunks.
 *
 * @module
 */

import { type MarkKind, markHead, markTail, stepToken } from './marks.ts'

export interface DirectiveEnd {
  readonly status: number
  /** `$-`. */
  readonly flags: string
  /** The terminal turns a line feed into two characters. */
  readonly isCooked: boolean
  /** As `trap -p` shows them. */
  readonly traps: string
}

export type ShellEvent =
  /** The job's bytes, as they came. */
  | { readonly type: 'output'; readonly bytes: Buffer }
  /** `facts` is what the boot script says of its shell. */
  | { readonly type: 'ready'; readonly facts: string }
  /** `facts` is what the shell says of who may have changed its terminal. */
  | { readonly type: 'asked'; readonly facts: string; readonly token: string }
  | { readonly type: 'started' }
  | ({ readonly type: 'ended' } & DirectiveEnd)

interface Mark {
  readonly kind: MarkKind
  readonly head: Buffer
}

/** Which marks may follow each mark. */
const NEXT: Readonly<Record<MarkKind, readonly MarkKind[]>> = {
  ready: ['ask', 'start', 'end'],
  ask: ['ask', 'start', 'end'],
  start: ['end'],
  end: ['told'],
  told: ['ask', 'start', 'end'],
}

/** A longer handler is not carried over, but treated as output. */
const MAX_TOLD_BYTES = 64 * 1024

/** One trap as `trap -p` prints it, possibly with the terminal's line ending. */
const TRAP = /trap -- (?:-|'(?:[^']|'\\'')*') (?:SIG)?(?:CHLD|DEBUG|RETURN)\r?\n/g

export class StreamParser {
  readonly #shellToken: string
  #token: string
  #step = -1
  #marks: readonly Mark[]
  #echo: Buffer | undefined
  /** Bytes that may be the beginning of a mark, or of the echo of a typed line. */
  #held: Buffer = Buffer.alloc(0)
  #received = 0
  #ended: Omit<DirectiveEnd, 'traps'> | undefined
  /** Since the end mark: traps, and maybe output of programs in the background. */
  #told: Buffer = Buffer.alloc(0)

  /** @param shellToken the one given to `bootScript` */
  constructor(shellToken: string) {
    this.#shellToken = shellToken
    this.#token = shellToken
    this.#marks = marksOf(['ready'], shellToken)
  }

  /** The number of bytes that have been turned into events: where a reader would continue. */
  get position(): number {
    return this.#received - this.#held.length - this.#told.length
  }

  /** The token of the step that is next or running. */
  get token(): string {
    return this.#token
  }

  /** Announces that `line` is about to be typed; its echo, if the terminal makes one, is dropped. */
  expectEcho(line: string): void {
    this.#echo = Buffer.from(line)
  }

  /** @returns the events that this chunk completes, in the order of the terminal */
  push(chunk: Uint8Array): ShellEvent[] {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let rest: Buffer | undefined =
      this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    this.#held = Buffer.alloc(0)
    this.#received += bytes.length
    const events: ShellEvent[] = []
    while (rest !== undefined && rest.length > 0) rest = this.#take(rest, events)
    return events
  }

  /** Emits what was held back: nothing more will come. */
  end(): ShellEvent[] {
    const events: ShellEvent[] = []
    this.#emit(this.#told, events)
    this.#emit(this.#held, events)
    this.#held = this.#told = Buffer.alloc(0)
    return events
  }

  /** Consumes up to and including the next mark; undefined when all of `bytes` is used up. */
  #take(bytes: Buffer, events: ShellEvent[]): Buffer | undefined {
    const found = this.#marks
      .map((mark) => ({ mark, at: bytes.indexOf(mark.head) }))
      .filter(({ at }) => at !== -1)
      .sort((one, other) => one.at - other.at)[0]
    if (found === undefined) {
      const heads = this.#marks.map(({ head }) => head)
      const watched = this.#echo === undefined ? heads : [...heads, this.#echo]
      return this.#hold(bytes, bytes.length - heldLength(bytes, watched), events)
    }
    const tail = markTail(this.#token)
    const begin = found.at + found.mark.head.length
    const end = bytes.indexOf(tail, begin)
    if (end === -1) return this.#hold(bytes, found.at, events)

    this.#give(bytes.subarray(0, found.at), events)
    // bash writes a line at a time: others may print between the line of an end mark and its tail.
    const lineEnd = found.mark.kind === 'end' ? bytes.indexOf('\n', begin) + 1 : 0
    const payloadEnd = lineEnd === 0 || lineEnd > end ? end : lineEnd
    this.#pass(found.mark.kind, bytes.toString('utf8', begin, payloadEnd), events)
    this.#give(bytes.subarray(payloadEnd, end), events)
    return bytes.subarray(end + tail.length)
  }

  /** @param from where it may be the beginning of a mark that the next chunk completes */
  #hold(bytes: Buffer, from: number, events: ShellEvent[]): undefined {
    this.#give(bytes.subarray(0, from), events)
    this.#held = bytes.subarray(from)
    return undefined
  }

  #pass(kind: MarkKind, payload: string, events: ShellEvent[]): void {
    switch (kind) {
      case 'ready':
        events.push({ type: 'ready', facts: payload })
        break
      case 'ask':
        events.push({ type: 'asked', facts: payload, token: this.#token })
        break
      case 'start':
        events.push({ type: 'started' })
        break
      case 'end': {
        const [status = '1', flags = ''] = payload.split(/[ \r\n]/)
        this.#ended = {
          status: Number.parseInt(status, 10),
          flags,
          isCooked: payload.includes('\r'),
        }
        break
      }
      case 'told':
        this.#end(events)
        break
    }
    if (kind !== 'ask') this.#echo = undefined
    if (kind === 'ready' || kind === 'told') {
      this.#token = stepToken(this.#shellToken, ++this.#step)
    }
    this.#marks = marksOf(NEXT[kind], this.#token)
  }

  #end(events: ShellEvent[]): void {
    const told = this.#told.toString('latin1')
    const traps = told.match(TRAP)?.join('') ?? ''
    this.#told = Buffer.alloc(0)
    const ended = this.#ended ?? { status: 1, flags: '', isCooked: false }
    this.#ended = undefined
    this.#emit(Buffer.from(told.replace(TRAP, ''), 'latin1'), events)
    events.push({ type: 'ended', ...ended, traps: Buffer.from(traps, 'latin1').toString() })
  }

  /** A typed line contains no line break, so neither does its echo. */
  #give(bytes: Buffer, events: ShellEvent[]): void {
    if (this.#ended !== undefined && this.#told.length < MAX_TOLD_BYTES) {
      this.#told = Buffer.concat([this.#told, bytes])
      return
    }
    const echo = this.#echo ?? Buffer.alloc(0)
    const at = echo.length === 0 ? bytes.length : bytes.indexOf(echo)
    const end = at === -1 ? bytes.length : at
    this.#emit(bytes.subarray(0, end), events)
    this.#emit(bytes.subarray(end + echo.length), events)
  }

  #emit(bytes: Buffer, events: ShellEvent[]): void {
    if (bytes.length > 0) events.push({ type: 'output', bytes })
  }
}

function marksOf(kinds: readonly MarkKind[], token: string): Mark[] {
  return kinds.map((kind) => ({ kind, head: Buffer.from(markHead(kind, token)) }))
}

/** How many bytes at the end of `bytes` could be the beginning of one of `needles`. */
function heldLength(bytes: Buffer, needles: readonly Buffer[]): number {
  let held = 0
  for (const needle of needles) {
    const longest = Math.min(needle.length - 1, bytes.length)
    for (let length = longest; length > held; length--) {
      const start = bytes.length - length
      if (bytes[start] === needle[0] && bytes.subarray(start).equals(needle.subarray(0, length))) {
        held = length
        break
      }
    }
  }
  return held
}
