/**
 * Writes one block of the log, its output batched by time and size (see lib/events/README.md).
 *
 * @module
 */

import { type BlockStart, blockEnd, type EventSink, type JobEvent } from '../events/event.ts'
import { OutputText } from '../events/output-text.ts'
import type { MaskedStream } from '../masking/masked-stream.ts'
import type { Masking } from '../masking/masking.ts'
import { nowInSeconds } from '../time.ts'

/** Long enough to gather what one small command prints, short enough not to be noticed. */
const BATCH_MS = 20

/** A burst is cut into events of about this many characters. */
const BATCH_CHARACTERS = 64 * 1024

/** How long held-back text waits for more: it may be a prompt, or the first few characters of a secret. */
const HOLD_MS = 60

/** This much of a secret is worth hiding for longer; the rest usually follows within that time. */
const LONG_HOLD_CHARACTERS = 6
const LONG_HOLD_MS = 2_000

export class BlockWriter {
  readonly #sink: EventSink
  readonly #masking: Masking
  readonly #text = new OutputText()
  readonly #masked: MaskedStream
  #pending = ''
  #timer: NodeJS.Timeout | undefined
  /** After this, held-back text is shown anyway. */
  #holdTimer: NodeJS.Timeout | undefined
  #start: BlockStart
  /** Events are written one after another, whether the timer or the terminal triggers them. */
  #written: Promise<void> = Promise.resolve()
  readonly #failure = Promise.withResolvers<never>()

  /** @param directive already masked */
  constructor(sink: EventSink, directive: string, masking: Masking) {
    this.#sink = sink
    this.#masking = masking
    this.#masked = masking.open()
    this.#start = { directive, timestamp: 0 }
    this.#failure.promise.catch(() => undefined) // for whoever listens
  }

  /** Rejects when the log can no longer be kept: a command that prints nothing more would not notice. */
  get failed(): Promise<never> {
    return this.#failure.promise
  }

  async start(): Promise<void> {
    const { directive } = this.#start
    const timestamp = nowInSeconds()
    this.#start = { directive, timestamp }
    await this.#write({ event: 'cmd_started', timestamp, directive })
  }

  /**
   * @param output bytes of the terminal, or a line of the agent's own: an event of its own
   * @returns a promise when the log is slower than the output: await it before reading on
   */
  push(output: Uint8Array | string): Promise<void> | void {
    if (typeof output === 'string') return this.#print(output)
    this.#pending += this.#masked.push(this.#text.push(output))
    this.#watchHeld()
    if (this.#pending.length >= BATCH_CHARACTERS) return this.#flush()
    this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS)
  }

  async finish(exitCode: number): Promise<void> {
    await this.#end()
    await this.#write(blockEnd(this.#start, exitCode))
  }

  #print(line: string): Promise<void> {
    void this.#end()
    this.#pending = this.#masking.mask(line.toWellFormed().replaceAll('\r\n', '\n'))
    return this.#flush()
  }

  /** The terminal has printed everything so far: nothing is held back any longer. */
  #end(): Promise<void> {
    clearTimeout(this.#holdTimer)
    this.#pending += this.#masked.push(this.#text.end()) + this.#masked.end()
    return this.#flush()
  }

  #watchHeld(): void {
    clearTimeout(this.#holdTimer)
    const { heldLength } = this.#masked
    if (heldLength === 0) return
    const ms = heldLength < LONG_HOLD_CHARACTERS ? HOLD_MS : LONG_HOLD_MS
    this.#holdTimer = setTimeout(() => {
      this.#pending += this.#masked.show()
      void this.#flush()
    }, ms)
  }

  #flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#pending === '') return this.#written
    const output = this.#pending
    this.#pending = ''
    return this.#write({ event: 'cmd_output', timestamp: nowInSeconds(), output })
  }

  #write(event: JobEvent): Promise<void> {
    const written = this.#written.then(() => this.#sink.write(event))
    this.#written = written
    written.catch(this.#failure.reject)
    return written
  }
}
