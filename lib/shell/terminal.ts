/**
 * The terminal of a job's shell, wherever that shell runs.
 *
 * @module
 */

/**
 * Receives output as it appears: any bytes, cut anywhere. A string is a line of the agent's own,
 * newline included, and becomes an event of its own (see lib/events/README.md). A returned promise means
 * "not so fast": the caller awaits it before it reads on from the terminal.
 */
export type OnOutput = (output: Uint8Array | string) => Promise<void> | void

/**
 * A terminal with `bash` already started on its other end. The session reads `output` once, from
 * the first byte to the last.
 */
export interface Terminal {
  /** Every byte the shell and its children print; ends when nothing more can come. */
  readonly output: AsyncIterable<Uint8Array>

  /** Types bytes into the terminal. Never more than a short line, since its buffer must not fill up. */
  write(text: string): void

  /**
   * The shell's exit code (128 + signal when killed), once it is gone. May settle before `output`
   * ends, which background children can hold open. Rejects with an `AgentError` when the other
   * side was lost (the engine died) and no code will ever be known.
   */
  readonly exited: Promise<number>

  /** Whether a reader would get end-of-file at once. Absent where that cannot be determined. */
  readonly isAtEnd?: () => boolean

  /** Frees this side. `output` ends. Safe to call twice. Does not kill anything. */
  close(): void
}

/** Through which a shell is told what to run, without using its own terminal. */
export interface Gate {
  /** The file that the shell sources: it waits until something is written, runs that, and continues. */
  readonly path: string

  /** Descriptors of the agent's terminals that the shell inherits, also of other jobs, and has to close. */
  readonly inherited: readonly number[]

  /** Writes a line of bash, shorter than 4,000 bytes, for the next sourcing that has none. Does not wait. */
  say(line: string): void

  /** Safe to call twice. */
  close(): void
}
