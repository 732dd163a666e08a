/**
 * Takes the bytes of a shell's terminal apart: the job's output here, the agent's marks there.
 * Pure: bytes in, events out, whatever the sizes of the chunks they come in.
 *
 * @module
 */

import { endPrefix, MARK_CLOSE, readyPrefix, startMark } from './marks.ts'

export type ShellEvent =
  /** The job's bytes, as they came. */
  | { readonly type: 'output'; readonly bytes: Buffer }
  /** `facts` is what the boot script says of its shell. */
  | { readonly type: 'ready'; readonly facts: string }
  | { readonly type: 'started' }
  | { readonly type: 'ended'; readonly status: number }

/** What the parser looks out for next. */
type Expectation =
  | { readonly kind: 'ready'; readonly needle: Buffer }
  | {
      readonly kind: 'start'
      readonly needle: Buffer
      readonly echo: Buffer
      readonly token: string
    }
  | { readonly kind: 'end'; readonly needle: Buffer }
  | { readonly kind: 'nothing' }

const CLOSE = Buffer.from(MARK_CLOSE)

/** Longer facts than this are no mark of ours: PATH_MAX and two numbers fit. */
const MAX_FACTS_BYTES = 4_200

export class StreamParser {
  #expected: Expectation
  /** Bytes that may be the beginning of a mark, or of the echo of a typed line. */
  #held: Buffer = Buffer.alloc(0)
  #received = 0

  /** @param bootToken the ready mark's; nothing else is recognised before it */
  constructor(bootToken: string) {
    this.#expected = { kind: 'ready', needle: Buffer.from(readyPrefix(bootToken)) }
  }

  /** Bytes of the terminal that events have been made of: where a reader would go on. */
  get position(): number {
    return this.#received - this.#held.length
  }

  /**
   * Announces that `line` is about to be typed and its directive to run under `token`.
   *
   * @param line as typed, newline included; its echo, if the terminal makes one, is dropped
   * @throws {RangeError} while another directive runs
   */
  expect(token: string, line: string): void {
    if (this.#expected.kind !== 'nothing') throw new RangeError('a directive is already expected')
    this.#expected = {
      kind: 'start',
      needle: Buffer.from(startMark(token)),
      echo: Buffer.from(line.trimEnd()),
      token,
    }
  }

  /** @returns the events that this chunk completes, in the order of the terminal */
  push(chunk: Uint8Array): ShellEvent[] {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let rest = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    this.#held = Buffer.alloc(0)
    this.#received += bytes.length
    const events: ShellEvent[] = []
    for (;;) {
      const after = this.#take(rest, events)
      if (after === undefined) return events
      rest = after
    }
  }

  /** Gives out what was held back: nothing more will come. */
  end(): ShellEvent[] {
    const events: ShellEvent[] = []
    this.#emit(this.#held, events)
    this.#held = Buffer.alloc(0)
    return events
  }

  /** Consumes up to and including the next mark; undefined when all of `bytes` is used up. */
  #take(bytes: Buffer, events: ShellEvent[]): Buffer | undefined {
    if (bytes.length === 0) return undefined
    const expected = this.#expected
    if (expected.kind === 'nothing') return this.#giveAll(bytes, events)

    const at = bytes.indexOf(expected.needle)
    if (at === -1) {
      const keep = heldLength(bytes, this.#watched())
      this.#giveBeforeStart(bytes.subarray(0, bytes.length - keep), events)
      this.#held = bytes.subarray(bytes.length - keep)
      return undefined
    }
    const before = bytes.subarray(0, at)
    const after = bytes.subarray(at + expected.needle.length)
    if (expected.kind === 'start') {
      this.#giveBeforeStart(before, events)
      events.push({ type: 'started' })
      this.#expected = { kind: 'end', needle: Buffer.from(endPrefix(expected.token)) }
      return after
    }
    return this.#closeMark(expected.kind, bytes, at, after, events)
  }

  /** A mark with a payload: complete only once its closing byte is there. */
  #closeMark(
    kind: 'end' | 'ready',
    bytes: Buffer,
    at: number,
    after: Buffer,
    events: ShellEvent[],
  ): Buffer | undefined {
    this.#emit(bytes.subarray(0, at), events)
    const close = after.indexOf(CLOSE)
    if (close === -1) {
      const open = bytes.subarray(at)
      if (open.length > MAX_FACTS_BYTES) this.#emit(open, events)
      else this.#held = open
      return undefined
    }
    const payload = after.toString('utf8', 0, close)
    events.push(
      kind === 'ready'
        ? { type: 'ready', facts: payload.trimStart() }
        : { type: 'ended', status: Number.parseInt(payload, 10) },
    )
    this.#expected = { kind: 'nothing' }
    return after.subarray(close + 1)
  }

  /** Output between two directives, less the echo of the line that was typed. */
  #giveBeforeStart(bytes: Buffer, events: ShellEvent[]): void {
    const echo = this.#expected.kind === 'start' ? this.#expected.echo : undefined
    const at = echo === undefined ? -1 : bytes.indexOf(echo)
    if (echo === undefined || at === -1) {
      this.#emit(bytes, events)
      return
    }
    let after = at + echo.length
    if (bytes[after] === 0x0d) after++
    if (bytes[after] === 0x0a) after++
    this.#emit(bytes.subarray(0, at), events)
    this.#emit(bytes.subarray(after), events)
  }

  #watched(): readonly Buffer[] {
    const expected = this.#expected
    if (expected.kind === 'nothing') return []
    // An echo ends with a line end that may come in the next chunk: hold that much more.
    return expected.kind === 'start'
      ? [expected.needle, Buffer.concat([expected.echo, Buffer.from('\r\n')])]
      : [expected.needle]
  }

  #giveAll(bytes: Buffer, events: ShellEvent[]): undefined {
    this.#emit(bytes, events)
    return undefined
  }

  #emit(bytes: Buffer, events: ShellEvent[]): void {
    if (bytes.length > 0) events.push({ type: 'output', bytes })
  }
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
