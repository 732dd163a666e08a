/**
 * The job of `agent run`, from a file or the command line, and what it gets from this host.
 *
 * @module
 */

import { ConfigError } from '../errors.ts'
import { type LoadOptions, type LocalJob, loadJobFile, toLocalJob } from '../request/job-file.ts'
import type { Command, JobRequest } from '../request/job-request.ts'
import { parseJobRequest } from '../request/parse-job-request.ts'
import type { HostFile } from '../settings/job-config.ts'
import type { JobChoice } from '../settings/run-config.ts'
import { quoteWord } from '../shell/quote.ts'

/** Where the working directory is mounted in the main container: a path that no image uses. */
export const WORKDIR_IN_CONTAINER = '/workdir'

export interface JobSource {
  /** Path of a job file; `-` is standard input. */
  readonly file: string | undefined
  /** A command line instead of a file; empty if there is none. */
  readonly command: readonly string[]
  readonly stdin: AsyncIterable<Uint8Array>
}

export interface PlannedJob {
  readonly request: JobRequest
  /** The long form that the request was parsed from. */
  readonly document: Readonly<Record<string, unknown>>
  /** To be mounted in addition to those of `--files`. */
  readonly hostFiles: readonly HostFile[]
}

/**
 * @throws {ConfigError} when it is unclear which job or which of its commands to run
 * @throws {AgentError} when its file is invalid or unreadable
 */
export async function loadLocalJob(
  { file, command, stdin }: JobSource,
  choice: JobChoice,
  options: LoadOptions,
): Promise<PlannedJob> {
  const isCommand = command.length > 0
  if (!isCommand && file === undefined) {
    throw new ConfigError('agent run needs FILE, or a command after --', {
      hint: 'Name a job file, or give a command: agent run -- make test.',
    })
  }
  if (isCommand && file !== undefined) {
    throw new ConfigError(`agent run was given both ${file} and a command after --`, {
      hint: 'Leave out one of them.',
    })
  }
  if (choice.image !== undefined && !isCommand) {
    throw new ConfigError('--image is only for a command after --', {
      hint: `Write the image into ${file}: image: ${choice.image}.`,
    })
  }
  const job =
    file === undefined
      ? await toLocalJob(documentOf(command, choice.image), '.', options)
      : await loadJobFile(file, stdin, options)
  return planLocalJob(job, choice)
}

/** One word is a line of bash, as with ssh; several words are a command and its arguments. */
function documentOf(command: readonly string[], image: string | undefined): object {
  const [line = '', ...others] = command
  const directive = others.length === 0 ? line : command.map(toWord).join(' ')
  return { ...(image !== undefined && { image }), workdir: '.', commands: [directive] }
}

function toWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quoteWord(text)
}

/** The first command enters the working directory, which is mounted in a container. */
export function planLocalJob(
  { request, document, workdir }: LocalJob,
  choice: JobChoice,
): PlannedJob {
  const isInContainer = request.compose !== undefined
  const directory = isInContainer ? WORKDIR_IN_CONTAINER : workdir
  const enter = { alias: `Entering ${directory}`, directive: `cd ${quoteWord(directory ?? '')}` }
  const planned = {
    ...document,
    ...(choice.env.length > 0 && { env_vars: [...request.envVars, ...choice.env.map(toVariable)] }),
    commands: [...(workdir === undefined ? [] : [enter]), ...choose(request.commands, choice)],
  }
  return {
    document: planned,
    request: {
      ...parseJobRequest(planned, { defaultId: request.id }),
      unknownKeys: request.unknownKeys,
    },
    hostFiles:
      isInContainer && workdir !== undefined
        ? [{ source: workdir, target: WORKDIR_IN_CONTAINER }]
        : [],
  }
}

function toVariable([name, value]: readonly [string, string]): object {
  return { name, value: Buffer.from(value).toString('base64') }
}

function choose(commands: readonly Command[], { from, only }: JobChoice): readonly Command[] {
  if (from !== undefined && only !== undefined) {
    throw new ConfigError('--from and --only were both given', { hint: 'Leave out one of them.' })
  }
  if (from !== undefined) return commands.slice(findCommand(commands, '--from', from))
  if (only === undefined) return commands
  const index = findCommand(commands, '--only', only)
  return commands.slice(index, index + 1)
}

/** Names are tried before numbers, since a command may be called `2`. */
function findCommand(commands: readonly Command[], flag: string, wanted: string): number {
  const named = commands.findIndex(({ alias, directive }) => (alias ?? directive.trim()) === wanted)
  if (named >= 0) return named
  const number = /^\d{1,5}$/.test(wanted) ? Number(wanted) : 0
  if (number >= 1 && number <= commands.length) return number - 1
  const lines = commands.map(({ alias, directive }, index) => {
    return `  ${index + 1}  ${alias ?? directive.trim().split('\n')[0]}`
  })
  throw new ConfigError(`${flag}: the job has no command "${wanted}"\n${lines.join('\n')}`, {
    hint: 'Give the number or the name of one of these.',
  })
}
