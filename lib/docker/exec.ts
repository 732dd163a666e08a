/**
 * The exec section of the Engine API: one more program in a running container.
 *
 * @module
 */

import type { Duplex } from 'node:stream'
import { type DockerClient, segment } from './client.ts'
import { readFrames } from './frames.ts'

export interface ExecOptions {
  readonly command: readonly string[]
  /** Absent = the container's own. */
  readonly user?: string
  /** Aborting lets go of the program, but does not end it: the API has no way to. */
  readonly signal: AbortSignal
}

export interface ExecResult {
  readonly exitCode: number
  readonly output: string
}

/** Kept of a program's output: it may be one of the job's, which prints without end. */
const MAX_OUTPUT_BYTES = 1_048_576

/** For programs that print little and end soon: the beginning of their output is held in memory. */
export async function runExec(
  docker: DockerClient,
  containerId: string,
  options: ExecOptions,
): Promise<ExecResult> {
  const { command, signal } = options
  const action = describe(command, containerId)
  const streams = { AttachStdout: true, AttachStderr: true }
  const id = await createExec(docker, containerId, options, streams)
  const chunks = await docker.stream({
    action,
    method: 'POST',
    path: `/exec/${segment(id)}/start`,
    json: { Detach: false, Tty: false },
    signal,
    ok: [200],
    stallMs: 0,
  })
  const parts: Uint8Array[] = []
  let room = MAX_OUTPUT_BYTES
  for await (const { bytes } of readFrames(chunks)) {
    if (room > 0) parts.push(bytes.slice(0, room)) // a copy: what is left over need not be kept
    room -= bytes.length
  }
  // The stream's end is not the program's, but here nothing else holds it open.
  const { value: state } = await docker.call<{ ExitCode: number | null }>({
    action,
    method: 'GET',
    path: `/exec/${segment(id)}/json`,
    signal,
    ok: [200],
  })
  return { exitCode: state?.ExitCode ?? 1, output: Buffer.concat(parts).toString() }
}

/**
 * Starts a program and stays connected to it: what is written goes to its standard input, what
 * comes is its output in frames. Closing the stream is up to the caller.
 */
export async function attachExec(
  docker: DockerClient,
  containerId: string,
  options: ExecOptions,
): Promise<Duplex> {
  const streams = { AttachStdin: true, AttachStdout: true }
  const id = await createExec(docker, containerId, options, streams)
  return await docker.upgrade({
    action: describe(options.command, containerId),
    method: 'POST',
    path: `/exec/${segment(id)}/start`,
    json: { Detach: false, Tty: false },
    signal: options.signal,
    ok: [101],
  })
}

async function createExec(
  docker: DockerClient,
  containerId: string,
  { command, user, signal }: ExecOptions,
  streams: Readonly<Record<string, boolean>>,
): Promise<string> {
  const { value } = await docker.call<{ Id: string }>({
    action: describe(command, containerId),
    method: 'POST',
    path: `/containers/${segment(containerId)}/exec`,
    json: { Cmd: command, User: user, ...streams },
    signal,
    ok: [201],
  })
  return value?.Id ?? ''
}

function describe(command: readonly string[], containerId: string): string {
  return `run ${command[0] ?? 'a program'} in container ${containerId.slice(0, 12)}`
}

/** In characters. */
export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

export interface OpenExecOptions {
  readonly command: readonly string[]
  /** Each `NAME=value`, added to the container's own. */
  readonly environment: readonly string[]
  /** Absent = the container's own. */
  readonly user?: string
  /** Absent = no terminal: the stream's output is then in frames. */
  readonly terminal?: TerminalSize | undefined
  readonly signal: AbortSignal
}

export interface OpenExec {
  readonly id: string
  /** The program's input and output. Its end is not yet the program's. */
  readonly stream: Duplex
}

/**
 * A program that is talked to while it runs.
 *
 * @param options.signal the only limit: an engine of version 20.10 starts nothing in a container
 *   while it moves files of it, and takes as long as they take
 */
export async function openExec(
  docker: DockerClient,
  containerId: string,
  { command, environment, user, terminal, signal }: OpenExecOptions,
): Promise<OpenExec> {
  const action = `run ${command[0] ?? 'a program'} in container ${containerId.slice(0, 12)}`
  const Tty = terminal !== undefined
  // Engines older than API 1.42 ignore the size: there it has to be set once the program runs.
  const size = terminal === undefined ? {} : { ConsoleSize: [terminal.rows, terminal.columns] }
  const attached = { AttachStdin: true, AttachStdout: true, AttachStderr: true }
  const { value } = await docker.call<{ Id: string }>({
    action,
    method: 'POST',
    path: `/containers/${segment(containerId)}/exec`,
    json: { Cmd: command, Env: environment, User: user, Tty, ...attached, ...size },
    signal,
    ok: [201],
    timeoutMs: 0,
  })
  const id = value?.Id ?? ''
  const stream = await docker.upgrade({
    action,
    method: 'POST',
    path: `/exec/${segment(id)}/start`,
    json: { Detach: false, Tty, ...size },
    signal,
    ok: [101],
    timeoutMs: 0,
  })
  return { id, stream }
}

/** @throws {DockerRefusedError} also when the program has not quite begun, or has ended */
export async function resizeExec(
  docker: DockerClient,
  id: string,
  { columns, rows }: TerminalSize,
): Promise<void> {
  await docker.call({
    action: 'change the size of a terminal',
    method: 'POST',
    path: `/exec/${segment(id)}/resize`,
    query: { h: rows, w: columns },
    ok: [200, 201],
  })
}

/** @returns undefined while it runs */
export async function execExitCode(docker: DockerClient, id: string): Promise<number | undefined> {
  const { value } = await docker.call<{ Running: boolean; ExitCode: number | null }>({
    action: 'report how a program ended',
    method: 'GET',
    path: `/exec/${segment(id)}/json`,
    ok: [200],
  })
  return value?.Running === false ? (value.ExitCode ?? 1) : undefined
}
