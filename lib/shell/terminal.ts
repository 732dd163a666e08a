/**
 * The terminal a job's shell lives on, wherever that shell runs.
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

  /** Types bytes into the terminal. Never more than a short line: nothing may fill its buffer. */
  write(text: string): void

  /**
   * The shell's exit code (128 + signal when killed), once it is gone. May settle before `output`
   * ends, which background children can hold open. Rejects with an `AgentError` when the other
   * side was lost (the engine died) and no code will ever be known.
   */
  readonly exited: Promise<number>

  /** Whether who reads from it now gets end-of-file at once. Absent where nobody can tell but by trying. */
  readonly isAtEnd?: () => boolean

  /** Frees this side. `output` ends. Safe to call twice. Does not kill anything. */
  close(): void
}

/** By which a shell is told what to run, where it need not be asked by its terminal. */
export interface Gate {
  /** What the shell sources: it waits until something is said, runs that, and goes on. */
  readonly path: string

  /** What the shell inherits of the agent's terminals, this one and those of other jobs, and is to close. */
  readonly inherited: readonly number[]

  /** A line of bash, of less than 4,000 bytes. Each is for one sourcing, in their order. Does not wait. */
  say(line: string): void

  /** Safe to call twice. */
  close(): void
}
