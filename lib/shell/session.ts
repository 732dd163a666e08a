/**
 * One living shell on a terminal: a directive's file in; its output and exit code out.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { ShellError } from '../errors.ts'
import { CookedOutput } from './cooked-output.ts'
import { createToken } from './marks.ts'
import { type ShellEvent, StreamParser } from './stream-parser.ts'
import type { OnOutput, Terminal } from './terminal.ts'

/** How a directive ended. */
export interface RunResult {
  /** 0 to 255. */
  readonly exitCode: number
  /** The shell itself ended with this command; the next `run` gets a fresh one. */
  readonly shellExited: boolean
}

/** What the shell said of itself when it came up. */
export interface SessionInfo {
  readonly uid: number
  readonly gid: number
  /** Empty when the shell has none. */
  readonly home: string
}

export interface OpenOptions {
  /** The token given to `bootScript`. */
  readonly bootToken: string
  readonly signal: AbortSignal
  /** Gets what login scripts or an image's entrypoint print before the shell is ready. */
  readonly onOutput: OnOutput
  readonly readyTimeoutMs: number
}

/** Output that comes while no directive runs waits for the next one; more than this waits unread. */
const MAX_IDLE_BYTES = 256 * 1024

/** Background children can hold a dead shell's terminal open: no output for so long is the end of it. */
const DRAIN_QUIET_MS = 50

/** Shown of a shell that never got ready; more would bury the reason. */
const MAX_SHOWN_CHARACTERS = 500

/** What the boot script tells: user, group, `raw` or nothing for the terminal's mode, home. */
const FACTS = /^(\d+) (\d+) (raw|) (.*)$/s

/** Who gets events now, and the promises it waits for. */
interface Waiting {
  readonly onOutput: OnOutput
  readonly done: PromiseWithResolvers<number | undefined>
}

export class Session {
  readonly #terminal: Terminal
  readonly #parser: StreamParser
  readonly #pump: Promise<void>
  #waiting: Waiting | undefined
  #idle: Buffer[] = []
  #idleBytes = 0
  #wake: PromiseWithResolvers<void> | undefined
  #lastOutputAt = 0
  #handling = false
  #facts = ''
  #cooked: CookedOutput | undefined
  #closed = false

  /**
   * Waits for the boot script's ready mark.
   *
   * @throws {ShellError} when the shell ends first, or is not ready within `readyTimeoutMs`
   */
  static async open(terminal: Terminal, options: OpenOptions): Promise<Session> {
    const session = new Session(terminal, options.bootToken)
    try {
      await session.#awaitReady(options)
      return session
    } catch (error) {
      session.close()
      throw error
    }
  }

  private constructor(terminal: Terminal, bootToken: string) {
    this.#terminal = terminal
    this.#parser = new StreamParser(bootToken)
    this.#pump = this.#readAll()
    this.#pump.catch(() => undefined) // told to whoever waits, by #untilDone
  }

  /** What the shell has said of itself when it was ready. */
  get info(): SessionInfo {
    const [, uid, gid, , home] = FACTS.exec(this.#facts) ?? []
    return { uid: Number(uid), gid: Number(gid), home: home ?? '' }
  }

  /** The shell is gone, or was let go of: a new session is needed. */
  get closed(): boolean {
    return this.#closed
  }

  /** Bytes of the terminal's output handled so far. */
  get position(): number {
    return this.#parser.position
  }

  /**
   * Sources the file at `path`, as the shell sees it, and resolves when it ended or the shell died.
   *
   * @param options `quiet`: this is the agent's own doing, `$?` for the next directive stays as it is and
   *   `set -x` does not show it
   * @throws {ShellError} when the shell is gone already
   * @throws {AgentError} when the terminal is lost and no exit code will ever be known
   */
  async run(path: string, onOutput: OnOutput, options?: { quiet: boolean }): Promise<RunResult> {
    if (this.#closed) {
      throw new ShellError('The shell of this session has ended', {
        hint: 'This is a bug in the agent: it should have started a new shell. Please report it.',
      })
    }
    const token = createToken()
    const line = `${token} -${options?.quiet ? 'q' : ''} ${path}\n`
    this.#parser.expect(token, line)
    await this.#giveIdle(onOutput)
    const done = this.#await(onOutput)
    this.#terminal.write(line)
    const status = await this.#untilDone(done)
    if (status !== undefined) return { exitCode: status, shellExited: false }

    this.close()
    return { exitCode: await this.#terminal.exited, shellExited: true }
  }

  /** Lets go of the terminal; the shell itself is ended by whoever started it. Safe to call twice. */
  close(): void {
    this.#closed = true
    this.#terminal.close()
    this.#wake?.resolve()
  }

  async #awaitReady({ signal, onOutput, readyTimeoutMs }: OpenOptions): Promise<void> {
    let shown = ''
    const done = this.#await((bytes) => {
      shown = (shown + Buffer.from(bytes).toString()).slice(-MAX_SHOWN_CHARACTERS)
      return onOutput(bytes)
    })
    // Not AbortSignal.timeout: that one keeps what waits for it, here all of the job, until it is over.
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), readyTimeoutMs)
    const ready = Promise.race([this.#untilDone(done), aborted([signal, late.signal])])
    const status = await ready.finally(() => clearTimeout(timer))
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
    const waiting = { onOutput, done: Promise.withResolvers<number | undefined>() }
    this.#waiting = waiting
    this.#wake?.resolve()
    return waiting
  }

  /** @returns the status of the mark that came; undefined when the shell ended without one */
  async #untilDone(waiting: Waiting): Promise<number | undefined> {
    try {
      return await Promise.race([
        waiting.done.promise,
        this.#terminal.exited.then(() => this.#drain()),
        this.#pump.then(() => this.#terminal.exited).then(() => undefined),
      ])
    } finally {
      this.#waiting = undefined
    }
  }

  /** After the shell's end: until its last output has been read, whoever still holds the terminal. */
  async #drain(): Promise<undefined> {
    const ended = this.#pump.then(
      () => true,
      () => true,
    )
    for (;;) {
      const before = this.#lastOutputAt
      const over = await Promise.race([ended, sleep(DRAIN_QUIET_MS).then(() => false)])
      if (over || (this.#lastOutputAt === before && !this.#handling)) return undefined
    }
  }

  async #readAll(): Promise<void> {
    for await (const chunk of this.#terminal.output) {
      this.#lastOutputAt = performance.now()
      this.#handling = true // a slow reader of the log is not the end of the output
      for (const event of this.#parser.push(chunk)) {
        const wait = this.#handle(event)
        if (wait !== undefined) await wait
      }
      this.#handling = false
      while (this.#waiting === undefined && this.#idleBytes > MAX_IDLE_BYTES && !this.#closed) {
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
        this.#facts = event.facts
        if (FACTS.exec(event.facts)?.[3] === '') this.#cooked = new CookedOutput()
        this.#waiting?.done.resolve(0)
        return undefined
      case 'started':
        return undefined
      case 'ended':
        return this.#finish(event.status)
    }
  }

  async #finish(status: number): Promise<void> {
    const rest = this.#cooked?.end()
    if (rest !== undefined) await this.#give(rest)
    this.#waiting?.done.resolve(status)
    this.#waiting = undefined
  }

  #give(bytes: Buffer): Promise<void> | void {
    if (bytes.length === 0) return undefined
    if (this.#waiting !== undefined) return this.#waiting.onOutput(bytes)
    this.#idle.push(Buffer.from(bytes)) // a copy: the chunk it is part of may be reused
    this.#idleBytes += bytes.length
  }

  /** What came after the previous directive's end stands at the head of this one's output. */
  async #giveIdle(onOutput: OnOutput): Promise<void> {
    for (let bytes = this.#idle.shift(); bytes !== undefined; bytes = this.#idle.shift()) {
      this.#idleBytes -= bytes.length
      await onOutput(bytes)
    }
  }
}

function aborted(signals: readonly AbortSignal[]): Promise<undefined> {
  return new Promise((resolve) => {
    const any = AbortSignal.any([...signals])
    if (any.aborted) resolve(undefined)
    any.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
