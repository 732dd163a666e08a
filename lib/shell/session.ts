/**
 * One living shell on a terminal: a directive's file in; its output and exit code out.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Deadline, onAbort } from '../async/abort.ts'
import { ShellError } from '../errors.ts'
import { Carry } from './carry.ts'
import { CookedOutput } from './cooked-output.ts'
import { parseFacts, type SessionInfo } from './facts.ts'
import { createHanding } from './handing.ts'
import { IdleOutput } from './idle-output.ts'
import { describeRefusal, type Refusal } from './refusal.ts'
import { StartWatch } from './start-watch.ts'
import { type DirectiveEnd, type ShellEvent, StreamParser } from './stream-parser.ts'
import type { Gate, OnOutput, Terminal } from './terminal.ts'

/** How a directive ended. */
export interface RunResult {
  /** 0 to 255. */
  readonly exitCode: number
  /** The shell itself ended with this command; the next `run` gets a fresh one. */
  readonly shellExited: boolean
  /** The shell takes no more directives but may still run: whoever started it ends it. */
  readonly shellLost?: boolean
}

export interface OpenOptions {
  /** The token, the directory and the gate given to `bootScript`. The session closes the gate. */
  readonly bootToken: string
  readonly directory: string
  readonly gate?: Gate | undefined
  readonly signal: AbortSignal
  /** Gets what login scripts or an image's entrypoint print before the shell is ready. */
  readonly onOutput: OnOutput
  readonly readyTimeoutMs: number
}

/** Background children can hold a dead shell's terminal open: after this long without output it counts as ended. */
const DRAIN_QUIET_MS = 50

/** A background child may also print for ever. */
const DRAIN_LIMIT_MS = 2_000

/** A chunk of output that waits this long for the log shows that the log is slow. */
const STALLED_MS = 50

/** How much output of a shell that never became ready is shown; more would bury the reason. */
const MAX_SHOWN_CHARACTERS = 500

/** Paths that can be typed: not longer than this, and without the separator. */
const TYPEABLE = /^[^|]{1,63}$/

const TOO_LATE = 'The shell had ended before it could read this directive.\n'

/** The current receiver of events, and the promises it waits for. */
interface Waiting {
  readonly onOutput: OnOutput
  readonly done: PromiseWithResolvers<DirectiveEnd | undefined>
}

export class Session {
  readonly #terminal: Terminal
  readonly #parser: StreamParser
  readonly #pump: Promise<void>
  #waiting: Waiting | undefined
  readonly #idle = new IdleOutput()
  #wake: PromiseWithResolvers<void> | undefined
  #lastOutputAt = 0
  #handlingSince = Number.POSITIVE_INFINITY
  readonly #carry = new Carry()
  readonly #watch = new StartWatch(() => performance.now() - this.#handlingSince > STALLED_MS)
  readonly #handing: ReturnType<typeof createHanding>
  readonly #gate: Gate | undefined
  #isCooked = false
  #facts = parseFacts('')
  #cooked: CookedOutput | undefined
  #closed = false

  /**
   * Waits for the boot script's ready mark.
   *
   * @throws {ShellError} when the shell ends first, or is not ready within `readyTimeoutMs`
   */
  static async open(terminal: Terminal, options: OpenOptions): Promise<Session> {
    const session = new Session(terminal, options)
    try {
      await session.#awaitReady(options)
      return session
    } catch (error) {
      session.close()
      throw error
    }
  }

  private constructor(terminal: Terminal, { bootToken, directory, gate }: OpenOptions) {
    this.#terminal = terminal
    this.#gate = gate
    this.#parser = new StreamParser(bootToken)
    const isPlain = () => !this.#isCooked
    const shared = { parser: this.#parser, watch: this.#watch }
    this.#handing = createHanding({ terminal, gate, directory, isPlain, ...shared })
    this.#pump = this.#readAll()
    this.#pump.catch(() => undefined) // #untilDone reports it to whoever waits
  }

  /** What the shell reported about itself when it was ready. */
  get info(): SessionInfo {
    return this.#facts
  }

  /** The shell has ended or was released: a new session is needed. */
  get closed(): boolean {
    return this.#closed
  }

  /** @returns the contents of the next directive's file; nothing is added to the agent's own */
  prepare(text: string): string {
    return this.#carry.prepend(text)
  }

  /**
   * Sources the file at `path`, as the shell sees it, and resolves when it ended or the shell died.
   *
   * @param options `quiet`: this is the agent's own directive; `$?` for the next directive stays as it is,
   *   and neither `set -x` nor a trap shows it
   * @throws {ShellError} when the shell is gone already
   * @throws {AgentError} when the terminal is lost and no exit code will ever be known
   */
  async run(path: string, onOutput: OnOutput, options?: { quiet: boolean }): Promise<RunResult> {
    if (this.#closed) {
      throw new ShellError('The shell of this session has ended', {
        hint: 'This is a bug in the agent: it should have started a new shell. Please report it.',
      })
    }
    await this.#idle.give(onOutput)
    const done = this.#await(onOutput)
    const refusal = this.#handing.handOver({ status: this.#carry.status, path })
    const end = await this.#untilDone(done, refusal)
    if (typeof end === 'string') return await this.#giveUp(end, onOutput)
    if (end !== undefined) {
      if (!options?.quiet) this.#carry.keep(end)
      return { exitCode: end.status, shellExited: false }
    }
    this.close()
    const exitCode = await this.#terminal.exited
    if (!this.#watch.hasStarted) await onOutput(Buffer.from(TOO_LATE))
    return { exitCode, shellExited: true }
  }

  /** Releases the terminal; the shell itself is ended by whoever started it. Safe to call twice. */
  close(): void {
    this.#closed = true
    this.#terminal.close()
    this.#gate?.close()
    this.#wake?.resolve()
  }

  async #awaitReady({ signal, onOutput, readyTimeoutMs }: OpenOptions): Promise<void> {
    let shown = ''
    const done = this.#await((bytes) => {
      const text = shown + Buffer.from(bytes).toString()
      // Between lines: the log's masking does not recognize a part of a secret.
      shown = text
        .slice(-MAX_SHOWN_CHARACTERS)
        .replace(text.length > MAX_SHOWN_CHARACTERS ? /^[^\n]*\n?/ : '', '')
      return onOutput(bytes)
    })
    using late = new Deadline(readyTimeoutMs, signal)
    const { promise: aborted, resolve } = Promise.withResolvers<undefined>()
    using _ = onAbort(late.signal, () => resolve(undefined))
    const status = await Promise.race([this.#untilDone(done), aborted])
    signal.throwIfAborted()
    const said = shown.trim() === '' ? 'It printed nothing.' : `It printed: ${shown.trim()}`
    if (late.signal.aborted) {
      throw new ShellError(`The shell was not ready within ${readyTimeoutMs / 1_000} s. ${said}`, {
        hint: 'Look for a login script (~/.bash_profile, ~/.profile, /etc/profile) or an entrypoint that waits.',
      })
    }
    if (status === undefined) {
      const code = await this.#terminal.exited
      throw new ShellError(`The shell ended with exit code ${code} before it was ready. ${said}`, {
        hint: 'Look for a login script (~/.bash_profile, ~/.profile, /etc/profile) or an entrypoint that exits.',
      })
    }
  }

  #await(onOutput: OnOutput): Waiting {
    const waiting = { onOutput, done: Promise.withResolvers<DirectiveEnd | undefined>() }
    this.#waiting = waiting
    this.#wake?.resolve()
    return waiting
  }

  async #giveUp(refusal: Refusal, onOutput: OnOutput): Promise<RunResult> {
    this.close()
    await onOutput(Buffer.from(describeRefusal(refusal)))
    return { exitCode: 1, shellExited: true, shellLost: true }
  }

  /** @returns the content of the end mark; undefined when the shell ended without one */
  async #untilDone(
    waiting: Waiting,
    refusal?: Promise<Refusal | undefined>,
  ): Promise<DirectiveEnd | Refusal | undefined> {
    const never = new Promise<never>(() => undefined)
    try {
      return await Promise.race([
        ...(refusal === undefined ? [] : [refusal.then((reason) => reason ?? never)]),
        waiting.done.promise,
        this.#terminal.exited.then(() => this.#drain()),
        this.#pump.then(() => this.#terminal.exited).then(() => undefined),
      ])
    } finally {
      this.#waiting = undefined
      this.#watch.ended()
    }
  }

  /** After the shell's end: waits until its last output has been read, even if others hold the terminal. */
  async #drain(): Promise<undefined> {
    const ended = this.#pump.then(
      () => true,
      () => true,
    )
    const limit = performance.now() + DRAIN_LIMIT_MS
    for (;;) {
      const before = this.#lastOutputAt
      const over = await Promise.race([ended, sleep(DRAIN_QUIET_MS).then(() => false)])
      const isStalled = performance.now() > this.#handlingSince
      const isQuiet = this.#lastOutputAt === before || performance.now() > limit
      if (over || (isQuiet && !isStalled)) return undefined
    }
  }

  async #readAll(): Promise<void> {
    for await (const chunk of this.#terminal.output) {
      this.#lastOutputAt = performance.now()
      for (const event of this.#parser.push(chunk)) {
        const wait = this.#handle(event)
        if (wait === undefined) continue
        this.#handlingSince = performance.now() // a slow reader of the log is not the end of the output
        await wait
        this.#handlingSince = Number.POSITIVE_INFINITY
      }
      while (this.#waiting === undefined && this.#idle.isFull && !this.#closed) {
        this.#wake = Promise.withResolvers<void>()
        await this.#wake.promise
      }
    }
    for (const event of this.#parser.end()) await this.#handle(event)
    const rest = this.#cooked?.end()
    if (rest !== undefined) await this.#give(rest)
  }

  #handle(event: ShellEvent): Promise<void> | void {
    switch (event.type) {
      case 'output':
        return this.#give(this.#cooked?.push(event.bytes) ?? event.bytes)
      case 'ready':
        this.#getReady(event.facts)
        return undefined
      case 'asked':
        this.#watch.asked(event.token, event.facts)
        return undefined
      case 'started':
        this.#watch.started()
        return undefined
      case 'ended':
        return this.#finish(event)
    }
  }

  #getReady(facts: string): void {
    this.#facts = parseFacts(facts)
    const { stty, flags } = this.#facts
    if (stty === '') this.#cooked = new CookedOutput()
    this.#handing.ready(TYPEABLE.test(stty) ? stty : '')
    this.#carry.begin(flags)
    this.#waiting?.done.resolve({ status: 0, flags, traps: '', isCooked: false })
  }

  async #finish(end: DirectiveEnd): Promise<void> {
    const rest = this.#cooked?.end()
    if (rest !== undefined) await this.#give(rest)
    this.#isCooked = end.isCooked
    const hasStarted = this.#watch.ended()
    if (hasStarted) this.#waiting?.done.resolve(end)
    this.#waiting = undefined
  }

  #give(bytes: Buffer): Promise<void> | void {
    if (bytes.length === 0) return undefined
    if (this.#waiting !== undefined) return this.#waiting.onOutput(bytes)
    this.#idle.keep(bytes)
  }
}
