/**
 * A person in a container: a login shell or one command, on the person's own terminal or pipes.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Deadline, LinkedAbort, onAbort } from '../../async/abort.ts'
import type { DockerClient } from '../../docker/client.ts'
import { containerRuns } from '../../docker/containers.ts'
import {
  execExitCode,
  type OpenExec,
  type OpenExecOptions,
  openExec,
  resizeExec,
  runExec,
  type TerminalSize,
} from '../../docker/exec.ts'
import { readFrames } from '../../docker/frames.ts'
import { AgentError, ContainerError, DockerRefusedError } from '../../errors.ts'
import { makeRaw } from '../../terminal/raw-terminal.ts'
import type { Standard } from '../kind.ts'

export interface EnterOptions {
  readonly containerId: string
  /** `bash` where it is known to be there; `sh` looks for one. */
  readonly shell: 'bash' | 'sh'
  /** Empty = a login shell. */
  readonly command: readonly string[]
  /** The person's terminal type. */
  readonly term: string | undefined
  readonly standard: Standard
  /** Aborted when the person's own terminal is gone, or they are asked to leave. */
  readonly signal: AbortSignal
}

/** In the environment of every process of an attach session. */
const ATTACH_SESSION = 'AGENT_ATTACH_SESSION'

/**
 * What runs in the container: a login shell where there is a bash, else `sh`. Typing anything but
 * ASCII needs a UTF-8 locale, which images seldom set: it is set where it is installed.
 */
const LAUNCHER = `
if [ -z "\${LC_ALL-}\${LC_CTYPE-}\${LANG-}" ]; then
  if [ -d /usr/lib/locale/C.utf8 ] || [ -d /usr/lib/locale/C.UTF-8 ]; then export LC_CTYPE=C.UTF-8; fi
fi
if command -v bash >/dev/null 2>&1; then
  [ $# -gt 0 ] || exec bash --login
  exec bash --login -c '"$@"' bash "$@"
fi
[ $# -gt 0 ] || exec sh -l
exec "$@"
`

/** For bash: waits until the terminal has its size, which older engines can tell only now. */
const AWAIT_SIZE = `
if [[ -t 0 ]]; then
  shopt -s checkwinsize
  unset COLUMNS
  for ((i = 0; i < 100; i++)); do
    (:)
    [[ -z \${COLUMNS-} ]] || break
    read -t 0.02 -u 9 9<> <(:)
  done
fi
`

/** What a terminal's end does to the programs on it. In bash alone: an image need not have more. */
const HANG_UP = {
  bash: `
for process in /proc/[0-9]*; do
  while IFS= read -r -d '' entry; do
    [[ $entry != ${ATTACH_SESSION}="$1" ]] || kill -HUP "\${process#/proc/}"
  done <"$process/environ"
done 2>/dev/null
:`,
  sh: `
for process in /proc/[0-9]*; do
  if tr '\\0' '\\n' <"$process/environ" | grep -qxF "${ATTACH_SESSION}=$1"; then
    kill -HUP "\${process#/proc/}"
  fi
done 2>/dev/null
:`,
} as const

/** A program that has closed its output is, as a rule, on its way out. */
const EXIT_POLL_MS = 20

/** Of a program whose output nobody reads: 128 + SIGPIPE. */
const KILLED_BY_PIPE = 141

const HANG_UP_LIMIT_MS = 5_000

/** Between two looks at a container that lets nobody in yet. */
const TURN_POLL_MS = 2_000

/** Right after its start an engine does not yet know the program, on a busy machine for seconds. */
const RESIZE_LIMIT_MS = 10_000
const RESIZE_POLL_MS = 25

/**
 * @returns the program's exit code
 * @throws {ContainerError} when the container goes away
 * @throws {AgentError} the engine's own
 */
export async function enterContainer(docker: DockerClient, options: EnterOptions): Promise<number> {
  const { containerId, shell, command, term, standard } = options
  const unread = new AbortController()
  using linked = new LinkedAbort(options.signal, unread.signal)
  const { signal } = linked
  const terminal = sizeOf(standard)
  const sessionId = randomBytes(8).toString('hex')
  const { id, stream } = await openInTurn(docker, containerId, standard.stderr, {
    command: [shell, '-c', shell === 'bash' ? AWAIT_SIZE + LAUNCHER : LAUNCHER, shell, ...command],
    environment: [
      `${ATTACH_SESSION}=${sessionId}`,
      ...(term === undefined ? [] : [`TERM=${term}`]),
    ],
    terminal,
    signal,
  })
  using _ = onAbort(signal, () => void stream.destroy())
  const stopReading = () => unread.abort()
  standard.stdout.once('error', stopReading)
  const restore = terminal === undefined ? undefined : makeRaw(standard.stdin)
  using _size = terminal === undefined ? undefined : followSize(docker, id, standard)
  try {
    await connect(stream, standard, terminal !== undefined)
    restore?.() // Ctrl-C is for this process now, should the program outlive its terminal
    signal.throwIfAborted()
    return await waitForExit(docker, id, signal)
  } catch (error) {
    if (!signal.aborted) throw error
    await hangUp(docker, { containerId, shell, sessionId })
    if (unread.signal.aborted) return KILLED_BY_PIPE
    throw error
  } finally {
    standard.stdout.off('error', stopReading)
    restore?.()
    stream.destroy()
  }
}

/**
 * For as long as the container runs and its engine answers anything at all: while `cache` moves
 * files, engines let nobody into it.
 */
async function openInTurn(
  docker: DockerClient,
  containerId: string,
  output: Writable,
  options: OpenExecOptions,
): Promise<OpenExec> {
  using ended = new LinkedAbort(options.signal)
  const { signal } = ended
  const opening = openExec(docker, containerId, { ...options, signal })
  let looks = 0
  try {
    for (;;) {
      const pause = sleep(TURN_POLL_MS, undefined, { signal })
      const opened = await Promise.race([opening, pause])
      if (opened !== undefined) return opened
      if (!(await containerRuns(docker, containerId, signal))) throw isGone()
      output.write(looks++ === 0 ? 'Waiting for the engine, which may be moving files.' : '.')
    }
  } catch (error) {
    opening.then(({ stream }) => stream.destroy()).catch(() => undefined) // too late
    const isRefused = error instanceof DockerRefusedError
    if (isRefused && !(await containerRuns(docker, containerId, options.signal)))
      throw isGone(error)
    throw error
  } finally {
    ended.abort()
    if (looks > 0) output.write('\n')
  }
}

/** Resolves when the program's output is at its end. */
async function connect(
  stream: NodeJS.ReadWriteStream,
  { stdin, stdout, stderr }: Standard,
  isTerminal: boolean,
): Promise<void> {
  const typed = pipeline(stdin, stream).catch(() => undefined) // it may end before it has read all
  try {
    if (isTerminal) {
      for await (const chunk of stream) await write(stdout, chunk as Uint8Array)
    } else {
      for await (const frame of readFrames(stream as AsyncIterable<Uint8Array>)) {
        await write(frame.stream === 'stdout' ? stdout : stderr, frame.bytes)
      }
    }
  } catch {
    // A reset, or our own end: what it means for the program is asked next.
  } finally {
    stdin.destroy() // a keyboard that is still read would keep this process alive
    await typed
  }
}

/** Not faster than the person's terminal takes it. */
async function write(to: Writable, bytes: Uint8Array): Promise<void> {
  if (to.errored || to.write(bytes)) return
  await new Promise<void>((resolve) => {
    const done = () => {
      to.off('drain', done).off('error', done)
      resolve()
    }
    to.once('drain', done).once('error', done)
  })
}

async function waitForExit(docker: DockerClient, id: string, signal: AbortSignal): Promise<number> {
  try {
    for (;;) {
      const exitCode = await execExitCode(docker, id)
      if (exitCode !== undefined) return exitCode
      await sleep(EXIT_POLL_MS, undefined, { signal })
    }
  } catch (cause) {
    if (!(cause instanceof AgentError)) throw cause
    throw isGone(cause)
  }
}

function isGone(cause?: unknown): ContainerError {
  return new ContainerError('The container is gone', {
    hint: 'The job is over, or its shell has died. While the job runs, you can attach again.',
    cause,
  })
}

/** The engine keeps a program whose connection is lost; a terminal's end would have ended it. */
async function hangUp(
  docker: DockerClient,
  {
    containerId,
    shell,
    sessionId,
  }: Pick<EnterOptions, 'containerId' | 'shell'> & { sessionId: string },
): Promise<void> {
  const command = [shell, '-c', HANG_UP[shell], shell, sessionId]
  using deadline = new Deadline(HANG_UP_LIMIT_MS)
  const options = { command, user: '0', signal: deadline.signal }
  await runExec(docker, containerId, options).catch(() => undefined) // gone with its container
}

/** Keeps the program's terminal as large as the person's, until it is disposed of. */
function followSize(docker: DockerClient, id: string, standard: Standard): Disposable {
  const over = new AbortController()
  let resizing = Promise.resolve()
  let isDue = false
  const resize = () => {
    if (isDue) return
    isDue = true
    // In turn: an old size that the engine is slow to take must not come after a new one.
    resizing = resizing.then(() => {
      isDue = false
      return setSize(docker, id, sizeOf(standard), over.signal)
    })
  }
  resize()
  standard.stdout.on('resize', resize)
  return {
    [Symbol.dispose]: () => {
      over.abort()
      standard.stdout.off('resize', resize)
    },
  }
}

async function setSize(
  docker: DockerClient,
  id: string,
  size: TerminalSize | undefined,
  over: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + RESIZE_LIMIT_MS
  while (size !== undefined && !over.aborted && performance.now() < deadline) {
    try {
      return await resizeExec(docker, id, size)
    } catch {
      await sleep(RESIZE_POLL_MS) // has not begun, or has ended: then it does not matter
    }
  }
}

/** @returns undefined when there is no person at a terminal */
function sizeOf({ stdin, stdout }: Standard): TerminalSize | undefined {
  if (stdin.isTTY !== true || stdout.isTTY !== true) return undefined
  return { columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 }
}
