/**
 * The exec section of the Engine API: one more program in a running container.
 *
 * @module
 */

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

/** For programs that print little and end soon: their output is held in memory. */
export async function runExec(
  docker: DockerClient,
  containerId: string,
  { command, user, signal }: ExecOptions,
): Promise<ExecResult> {
  const action = `run ${command[0] ?? 'a program'} in container ${containerId.slice(0, 12)}`
  const { value: created } = await docker.call<{ Id: string }>({
    action,
    method: 'POST',
    path: `/containers/${segment(containerId)}/exec`,
    json: { Cmd: command, User: user, AttachStdout: true, AttachStderr: true },
    signal,
    ok: [201],
  })
  const id = created?.Id ?? ''
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
  for await (const frame of readFrames(chunks)) parts.push(frame.bytes)
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
