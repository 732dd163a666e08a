/**
 * From a running job to a person inside it: waits for its container, or opens a shell on this host.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { DockerClient } from '../docker/client.ts'
import { containerHasEnded, containerRuns } from '../docker/containers.ts'
import { ContainerError, JobNotRunningError, ShellError } from '../errors.ts'
import { enterContainer, type Standard } from './enter-container.ts'
import { addVisitor, type JobContainer, type RunningJob, readRunningJob } from './running-jobs.ts'

export interface EnterJobOptions {
  /** One of the job's containers; default: the main one. */
  readonly container?: string | undefined
  /** Empty = a login shell. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly standard: Standard
  /** Called when the terminal is another program's: what is pressed there is no signal for this one. */
  readonly onTerminalLent: () => void
  /** Aborted when the person's own terminal is gone, or they are asked to leave. */
  readonly signal: AbortSignal
}

const POLL_MS = 250

/** One dot for so many looks. */
const LOOKS_PER_DOT = 4

/** As docker shows it. */
const SHORT_ID = 12

const SIGNAL_BASE = 128

/**
 * @param directory of the job, see running-jobs.ts
 * @returns the exit code of the shell or the command
 * @throws {JobNotRunningError} when the job is over
 */
export async function enterJob(directory: string, options: EnterJobOptions): Promise<number> {
  const job = await readRunningJob(directory)
  if (job === undefined) throw jobIsOver()
  await addVisitor(directory, process.pid)
  if (job.executor === 'shell') return await enterHost(options)
  return await enterContainerOf(job, directory, options)
}

async function enterContainerOf(
  { id: jobId, dockerSocketPath, containerNames: [main = '', ...others] = [] }: RunningJob,
  directory: string,
  { container = main, command, environment, standard, signal }: EnterJobOptions,
): Promise<number> {
  if (container !== main && !others.includes(container)) {
    throw new ContainerError(`Job "${jobId}" has no container "${container}"`, {
      hint: `It has: ${[main, ...others].join(', ')}.`,
    })
  }
  const docker = new DockerClient(dockerSocketPath)
  try {
    const { id } = await awaitContainer(docker, directory, container, {
      signal,
      output: standard.stderr,
    })
    const shell = container === main ? 'bash' : 'sh'
    const { TERM: term } = environment
    return await enterContainer(docker, {
      containerId: id,
      shell,
      command,
      term,
      standard,
      signal,
    })
  } finally {
    await docker.close()
  }
}

/**
 * Until that container runs. Ends with the job at the latest.
 *
 * @see lib/access/README.md: the text is fixed
 */
async function awaitContainer(
  docker: DockerClient,
  directory: string,
  name: string,
  { signal, output }: { readonly signal: AbortSignal; readonly output: Writable },
): Promise<JobContainer> {
  let looks = 0
  try {
    for (;;) {
      const job = await readRunningJob(directory)
      if (job === undefined) throw jobIsOver()
      const container = job.containers.find((it) => it.name === name)
      if (container !== undefined && (await containerRuns(docker, container.id, signal))) {
        return container
      }
      if (container !== undefined && (await containerHasEnded(docker, container.id, signal))) {
        throw new ContainerError(`Container "${name}" has ended`, {
          hint: `See its output: docker logs ${container.id.slice(0, SHORT_ID)}`,
        })
      }
      if (looks === 0) output.write('Waiting for the container to start up')
      if (looks % LOOKS_PER_DOT === 0) output.write('.')
      looks++
      await sleep(POLL_MS, undefined, { signal })
    }
  } finally {
    if (looks > 0) output.write('\n')
  }
}

/** On the person's terminal itself: what they press is for the shell alone. */
async function enterHost({
  container,
  command,
  environment,
  standard,
  onTerminalLent,
  signal,
}: EnterJobOptions): Promise<number> {
  if (container !== undefined) {
    throw new ContainerError('This job runs on the host itself: it has no containers', {
      hint: 'Omit --container.',
    })
  }
  if (standard.stdin.isTTY === true) onTerminalLent()
  const args = command.length === 0 ? ['--login'] : ['--login', '-c', '"$@"', 'bash', ...command]
  const child = spawn('bash', args, { stdio: 'inherit', env: { ...environment } })
  const hangUp = () => void child.kill('SIGHUP')
  signal.addEventListener('abort', hangUp, { once: true })
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (cause) =>
        reject(
          new ShellError('bash could not be started', {
            hint: 'Install bash (package bash), or start the agent with a PATH that contains it.',
            cause,
          }),
        ),
      )
      child.once('exit', (code, name) =>
        resolve(code ?? SIGNAL_BASE + (name === null ? 0 : constants.signals[name])),
      )
    })
  } finally {
    signal.removeEventListener('abort', hangUp)
  }
}

function jobIsOver(): JobNotRunningError {
  return new JobNotRunningError('The job is over: there is nothing left to get into', {
    hint: 'agent attach lists the running jobs.',
  })
}
